/** Webhooks over HTTP: a pool of connections for each endpoint, kept alive between POSTs. */
import { lookup } from "node:dns";
import { isDeepStrictEqual } from "node:util";
import { type Dispatcher, Pool } from "undici";
import type { EndpointTls } from "../apps/app.ts";
import {
  createAddressPolicy,
  LENIENT_RULES,
  TargetRefusedError,
  type TargetRules,
} from "./address-policy.ts";
import { errorCode } from "./context.ts";
import { type LookUpDirectly, lookUpDirectly } from "./direct-lookup.ts";
import { createGuardedConnector } from "./guarded-connector.ts";
import { createNameLookups, type NameLookups, type Resolve } from "./name-lookups.ts";
import type { Answer, Attempt, Target } from "./target.ts";
import { after, type Now } from "./timer.ts";

/** What is read of an answer's body. It means nothing to us; past this the connection is given up. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** Header bytes of an answer. */
const MAX_ANSWER_HEADER_BYTES = 16 * 1024;

interface EndpointPool {
  readonly origin: string;
  readonly connections: number;
  readonly tls: EndpointTls | undefined;
  readonly timeoutMs: number;
  readonly pool: Pool;
}

export interface HttpTargetParts {
  /** Looks names up. @default as the system does */
  readonly resolve?: Resolve;
  /** Looks names up when `resolve` hangs. @default in the hosts file and the DNS */
  readonly lookUpDirectly?: LookUpDirectly;
  /** Where webhooks may go. @default everywhere but to what is always refused */
  readonly rules?: TargetRules;
  /** Says how old an answer of theirs is. */
  readonly now: Now;
}

export interface HttpTarget extends Target {
  /** Of the look-ups of all endpoints' names. */
  readonly lookups: NameLookups["counters"];
}

export function createHttpTarget(parts: HttpTargetParts): HttpTarget {
  const { rules = LENIENT_RULES } = parts;
  const policy = createAddressPolicy(rules);
  const lookups = createNameLookups({
    resolve: parts.resolve ?? lookup,
    lookUpDirectly: parts.lookUpDirectly ?? lookUpDirectly,
    now: parts.now,
    after,
  });
  const pools = new Map<string, EndpointPool>();

  function poolFor(attempt: Attempt, origin: string): Pool {
    const { endpoint, timeoutMs, concurrency: connections, tls } = attempt;
    const known = pools.get(endpoint);
    const wanted = { origin, connections, tls, timeoutMs };
    if (known && isSame(known, wanted)) return known.pool;
    forget(endpoint);
    const pool = new Pool(origin, {
      connections,
      pipelining: 1,
      connect: createGuardedConnector(policy, lookups.within(timeoutMs), timeoutMs, tls),
      maxHeaderSize: MAX_ANSWER_HEADER_BYTES,
      // One deadline over everything is kept by `send`.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    pools.set(endpoint, { ...wanted, pool });
    return pool;
  }

  function forget(endpoint: string): void {
    const known = pools.get(endpoint);
    pools.delete(endpoint);
    // Attempts under way end first; what their end says was told to whoever sent them.
    known?.pool.close().catch(() => {});
  }

  return {
    async send(attempt, signal) {
      // A controller of its own: what hangs on a signal as long-lived as `signal` would have to be taken off.
      const ending = new AbortController();
      let isTimeout = false;
      const deadline = setTimeout(() => {
        isTimeout = true;
        ending.abort();
      }, attempt.timeoutMs);
      const giveUp = () => ending.abort();
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        const { protocol, origin, pathname, search } = new URL(attempt.url);
        if (rules.isHttpsOnly && protocol !== "https:") throw new TargetRefusedError(protocol);
        const request = poolFor(attempt, origin).request({
          method: "POST",
          path: pathname + search,
          headers: attempt.headers,
          body: attempt.body,
          signal: ending.signal,
        });
        // A request that waits for its connection, or for its name, does not hear the signal.
        const answer = await Promise.race([request, aborted(ending.signal)]);
        await drain(answer.body);
        return {
          kind: "answered",
          status: answer.statusCode,
          retryAfter: single(answer.headers["retry-after"]),
        };
      } catch (error) {
        return explain(error, isTimeout);
      } finally {
        clearTimeout(deadline);
        signal.removeEventListener("abort", giveUp);
      }
    },
    lookups: lookups.counters,
    forget,
    async close() {
      const open = [...pools.values()];
      pools.clear();
      await Promise.all(open.map(({ pool }) => pool.destroy()));
    },
  };
}

/** Whether a pool made with `known` is as good as one made with `wanted`. */
function isSame({ pool: _pool, ...known }: EndpointPool, wanted: Omit<EndpointPool, "pool">) {
  return isDeepStrictEqual(known, wanted);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Reads the body to its end, so that the connection can be used again, or gives both up when it is too long. */
async function drain(body: Dispatcher.ResponseData["body"]): Promise<void> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += (chunk as Uint8Array).byteLength;
    if (bytes > MAX_ANSWER_BYTES) return;
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

/** Whatever the attempt ended with, as an answer: `send` never rejects, for every end is one to be retried. */
function explain(error: unknown, isTimeout: boolean): Answer {
  if (isTimeout) return { kind: "timeout", reason: "timeout" };
  if (error instanceof TargetRefusedError) return { kind: "refused_target", reason: error.code };
  const reason = errorCode(error);
  return { kind: reason === "UND_ERR_CONNECT_TIMEOUT" ? "timeout" : "connection", reason };
}
