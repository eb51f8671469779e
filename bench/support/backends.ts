/** Backends that publish signed batches: as many as the server takes, or at a rate that waits for no answer. */
import { setTimeout as delay } from "node:timers/promises";
import type { Endpoint } from "./endpoint.ts";
import { createRequestPipeline, type RequestPipeline } from "./request-pipeline.ts";
import { signedPost } from "./signed-request.ts";
import { quantileOf } from "./statistics.ts";

/** What came of an offer in the time that counts: answers that come later are in the next one's figures. */
export interface Offered {
  /** How long that was. */
  readonly seconds: number;
  /** Requests that were due. */
  readonly due: number;
  /** Of these, the ones that were not sent, since all that backends keep under way was. */
  readonly givenUp: number;
  readonly answers: ReadonlyMap<number, number>;
  /** From when a request was due to its answer, refusals included. NaN when nothing was answered. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests whose connection was lost before their answer. */
  readonly lost: number;
}

export interface Backends {
  /** Requests answered with 200. */
  readonly published: number;
  /** Requests under way. */
  readonly pending: number;
  /**
   * From now on a quarter of the connections send when they have been answered, until the function is called that this
   * answers: enough to keep the server busy, and so little under way that it refuses nothing.
   */
  saturate(): () => void;
  /** What comes of the first second is not counted: what was saved up while less was offered is used up in it. */
  offer(perSecond: number, seconds: number): Promise<Offered>;
  close(): void;
}

export const EVENTS_A_REQUEST = 10;

const CONNECTIONS = 200;
/** Sent in one write: so that the load costs its maker less than the server. */
const REQUESTS_A_WRITE = 4;
/** On one connection: 6,400 on all of them, where backends give up. */
const MAX_PENDING = 32;
const EVENT_BYTES = 140;
/** What is due in one is sent at once. */
const TICK_MS = 1;
const LEAD_IN_MS = 1_000;

export function openBackends(endpoint: Endpoint, channel: string): Backends {
  let answers = new Map<number, number>();
  let latenciesMs: number[] = [];
  let published = 0;
  let pending = 0;
  let lost = 0;
  let isSaturating = false;
  /** Finished requests: one, two, … in one write. */
  let writes: readonly Buffer[] = [];
  let next = 0;
  const pipelines = Array.from({ length: CONNECTIONS }, open);

  function open(_: unknown, index: number): RequestPipeline {
    return createRequestPipeline(endpoint, MAX_PENDING, {
      onAnswer(status, dueMs) {
        if (status === 200) published += 1;
        pending -= 1;
        answers.set(status, (answers.get(status) ?? 0) + 1);
        latenciesMs.push(performance.now() - dueMs);
        const pipeline = pipelines[index];
        // Two writes are under way on each connection: one is answered while the other waits for its turn.
        if (isSaturating && pipeline !== undefined && pipeline.pending < REQUESTS_A_WRITE + 1) {
          send(pipeline, REQUESTS_A_WRITE, performance.now());
        }
      },
      onLost(unanswered) {
        lost += unanswered;
        pending -= unanswered;
        pipelines[index] = open(undefined, index);
      },
    });
  }

  /** A signature is good for ten minutes. */
  function sign(): void {
    const event = { name: "order-created", channel, data: "x".repeat(EVENT_BYTES) };
    const batch = new Array(EVENTS_A_REQUEST).fill(event);
    const request = signedPost(endpoint, "/batch_events", { batch });
    writes = Array.from({ length: REQUESTS_A_WRITE }, (_, n) =>
      Buffer.concat(new Array(n + 1).fill(request)),
    );
  }

  function send(pipeline: RequestPipeline, count: number, dueMs: number): void {
    pending += count;
    pipeline.send(writes[count - 1] ?? Buffer.alloc(0), count, dueMs);
  }

  /** The next connection in turn that may have `count` more under way. */
  function free(count: number): RequestPipeline | undefined {
    for (let looked = 0; looked < CONNECTIONS; looked += 1) {
      next = (next + 1) % CONNECTIONS;
      const pipeline = pipelines[next];
      if (pipeline !== undefined && pipeline.pending + count <= MAX_PENDING) return pipeline;
    }
    return undefined;
  }

  return {
    get published() {
      return published;
    },
    get pending() {
      return pending;
    },
    saturate() {
      sign();
      isSaturating = true;
      for (const pipeline of pipelines.slice(0, CONNECTIONS / 4)) {
        send(pipeline, REQUESTS_A_WRITE, performance.now());
        send(pipeline, REQUESTS_A_WRITE, performance.now());
      }
      return () => {
        isSaturating = false;
      };
    },
    async offer(perSecond, seconds) {
      sign();
      const startedMs = performance.now();
      const endMs = startedMs + seconds * 1_000;
      let due = 0;
      let givenUp = 0;

      /** Sends what is due at `nowMs`. */
      function catchUp(nowMs: number): void {
        const dueNow = Math.floor(((nowMs - startedMs) * perSecond) / 1_000);
        while (due < dueNow) {
          const count = Math.min(REQUESTS_A_WRITE, dueNow - due);
          const pipeline = free(count);
          if (pipeline === undefined) givenUp += count;
          else send(pipeline, count, startedMs + (due * 1_000) / perSecond);
          due += count;
        }
      }

      async function offerUntil(untilMs: number): Promise<void> {
        for (let nowMs = performance.now(); nowMs < untilMs; nowMs = performance.now()) {
          catchUp(nowMs);
          await delay(TICK_MS);
        }
        catchUp(untilMs);
      }

      await offerUntil(startedMs + Math.min(LEAD_IN_MS, (seconds * 1_000) / 2));
      const countedFromMs = performance.now();
      const before = { due, givenUp };
      answers = new Map();
      latenciesMs = [];
      lost = 0;
      await offerUntil(endMs);
      const quantile = (part: number): number =>
        latenciesMs.length === 0 ? Number.NaN : quantileOf(latenciesMs, part);
      return {
        seconds: (performance.now() - countedFromMs) / 1_000,
        due: due - before.due,
        givenUp: givenUp - before.givenUp,
        answers,
        p50Ms: quantile(0.5),
        p99Ms: quantile(0.99),
        lost,
      };
    },
    close() {
      for (const pipeline of pipelines) pipeline.close();
    },
  };
}
