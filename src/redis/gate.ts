/**
 * What every call to Redis goes through: it ends in time, and no more than a bounded number wait.
 *
 * A Redis that hangs keeps its connections open, so calls would pile up in the client. Once a call has run
 * out of time its lane (on Redis Cluster each master is one) is silent: further calls are refused at once,
 * until a call of the lane is answered after all or its connection is closed.
 */
import { RedisRefusedError, RedisUnavailableError } from "./redis-unavailable.ts";
import { refusalText } from "./refusal.ts";

export interface GateSettings {
  readonly timeoutMs: number;
  /** Calls that may wait for an answer, those that have run out of time among them. */
  readonly maxInFlight: number;
}

export interface GateCounters {
  calls: number;
  /** Answered by Redis with an error. */
  errors: number;
  /** The connection was lost, or was not there. */
  connectionFailures: number;
  timeouts: number;
  /** Refused at once: the lane is silent. */
  refusedSilent: number;
  /** Refused at once: `maxInFlight`. */
  refusedFull: number;
}

export interface Gate {
  /** Rejects with RedisUnavailableError, or with the ReplyError of a call that can never succeed. */
  run<T>(name: string, lane: string, send: () => Promise<T>): Promise<T>;
  /** Whether the lane is silent; without one: whether any is. */
  isSilent(lane?: string): boolean;
  /** From now on every call is refused. */
  close(): void;
  readonly counters: Readonly<GateCounters>;
}

export interface GateParts extends GateSettings {
  /** When {@link Gate.isSilent} may have changed. */
  readonly onChange: () => void;
  /** How long an answered call took, for the metrics. */
  readonly observe: (name: string, seconds: number) => void;
}

export function createGate({ timeoutMs, maxInFlight, onChange, observe }: GateParts): Gate {
  const silent = new Set<string>();
  const counters: GateCounters = {
    calls: 0,
    errors: 0,
    connectionFailures: 0,
    timeouts: 0,
    refusedSilent: 0,
    refusedFull: 0,
  };
  let inFlight = 0;
  let isClosed = false;

  function refusal(name: string, lane: string): string | undefined {
    if (isClosed) return `${name}: the connections are closed.`;
    if (silent.has(lane)) {
      counters.refusedSilent += 1;
      return `${name}: Redis has not answered for more than ${timeoutMs} ms.`;
    }
    if (inFlight < maxInFlight) return undefined;
    counters.refusedFull += 1;
    return `${name}: ${inFlight} calls wait for Redis, as many as are allowed.`;
  }

  function fault(name: string, error: unknown): unknown {
    if (isReply(error)) {
      counters.errors += 1;
      if (isMistake(error)) return error;
      return new RedisRefusedError(refusalText(name, error), { cause: error });
    }
    counters.connectionFailures += 1;
    return new RedisUnavailableError(`${name}: Redis cannot be used.`, { cause: error });
  }

  function send<T>(name: string, lane: string, call: () => Promise<T>): Promise<T> {
    counters.calls += 1;
    inFlight += 1;
    const startedMs = performance.now();
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        counters.timeouts += 1;
        silent.add(lane);
        onChange();
        reject(new RedisUnavailableError(`${name}: Redis has not answered in ${timeoutMs} ms.`));
      }, timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        inFlight -= 1;
        if (silent.size > 0 && silent.delete(lane)) onChange();
      };
      call().then(
        (answer) => {
          settle();
          observe(name, (performance.now() - startedMs) / 1_000);
          resolve(answer);
        },
        (error: unknown) => {
          settle();
          reject(fault(name, error));
        },
      );
    });
  }

  return {
    run(name, lane, call) {
      const refused = refusal(name, lane);
      if (refused !== undefined) return Promise.reject(new RedisUnavailableError(refused));
      return send(name, lane, call);
    },
    isSilent: (lane) => (lane === undefined ? silent.size > 0 : silent.has(lane)),
    close() {
      isClosed = true;
    },
    counters,
  };
}

function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === "ReplyError";
}

/** An error of ours, which repeating does not mend. Anything else (OOM, LOADING, CLUSTERDOWN …) may pass. */
function isMistake(error: Error): boolean {
  return /^(ERR|WRONGTYPE|CROSSSLOT|NOSCRIPT|EXECABORT) /.test(error.message);
}
