/** The load of bench:overload: more requests than one core carries, offered at a rate that waits for nobody. */
import { setTimeout as delay } from "node:timers/promises";
import { rssOf } from "./cpu-time.ts";
import type { Endpoint } from "./endpoint.ts";
import { createHttpClient, type HttpClient } from "./http-client.ts";
import { type LoadClient, openClients, openLoadClient } from "./load-client.ts";
import { openSide, type SideOptions } from "./sides.ts";
import { signedPost } from "./signed-request.ts";
import { quantileOf } from "./statistics.ts";

/** What one rate of load came to. */
export interface Step {
  /** Of the rate that the server carries: 2 is twice as much. */
  readonly share: number;
  readonly offeredPerSecond: number;
  readonly publishedPerSecond: number;
  readonly refusedPerSecond: number;
  /** Requests for which none of the backends' connections was free: they gave up. */
  readonly notSentPerSecond: number;
  /** Answers other than 200, 429 and 503. */
  readonly otherStatuses: number;
  /** From the request to its answer, refusals included. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly healthMaxMs: number;
  readonly rssMb: number;
}

export interface Overload {
  /** Requests per second that the server takes when it is asked for as many as it can. */
  readonly capacityPerSecond: number;
  /** The limit that the app had, in events per second. */
  readonly maxEventsPerSecond: number;
  readonly steps: readonly Step[];
  /** From the end of the load until answers came as quickly as before it. */
  readonly recoveryS: number;
  readonly slowConsumers: number;
  readonly slowConsumersClosed: number;
}

export interface OverloadOptions {
  readonly sides: SideOptions;
  readonly shares: readonly number[];
  readonly secondsPerStep: number;
  readonly onText: (text: string) => void;
}

const BATCH = 10;
const CHANNEL = "private-overload";
/** What the backends have open: more than that many requests are never under way. */
const CONNECTIONS = 200;
const SUBSCRIBERS = 2;
const SLOW_CONSUMERS = 10;
const ALLOWED_SHARE = 0.8;
const HEALTH_EVERY_MS = 50;
const HEALTH = Buffer.from("GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
const MAX_RECOVERY_MS = 30_000;
/** Answers are as quick as before the load when they take no more than this many times as long. */
const RECOVERED = 3;

interface Backends {
  readonly endpoint: Endpoint;
  readonly free: HttpClient[];
  readonly all: readonly HttpClient[];
}

export async function runOverload(options: OverloadOptions): Promise<Overload> {
  const { sides, shares, secondsPerStep, onText } = options;
  const capacityPerSecond = await withServer(sides, {}, (endpoint) => capacityOf(endpoint));
  const maxEventsPerSecond = Math.floor(capacityPerSecond * ALLOWED_SHARE * BATCH);
  onText(`one core carries ${capacityPerSecond.toFixed(0)} requests a second\n`);
  const app = { max_backend_events_per_second: maxEventsPerSecond };
  return await withServer(sides, app, async (endpoint, pid) => {
    const watchers = await subscribe(endpoint, SUBSCRIBERS);
    let closed = 0;
    const slow = await subscribe(endpoint, SLOW_CONSUMERS, () => {
      closed += 1;
    });
    for (const client of slow) client.socket.pause();
    const backends = openBackends(endpoint);
    const idleMs = await answerMs(endpoint);
    const steps: Step[] = [];
    for (const share of shares) {
      const rate = share * capacityPerSecond;
      const step = await runStep(backends, share, rate, secondsPerStep, pid);
      steps.push(step);
      onText(
        `${share} offered ${rate.toFixed(0)}/s: published ${step.publishedPerSecond.toFixed(0)}/s, ` +
          `refused ${step.refusedPerSecond.toFixed(0)}/s, p99 ${step.p99Ms.toFixed(1)} ms, ` +
          `health ${step.healthMaxMs.toFixed(1)} ms, ${step.rssMb.toFixed(0)} MB\n`,
      );
    }
    const recoveryS = await recovery(endpoint, idleMs);
    // What was kept for them was thrown away with them: reading on, they find the end.
    for (const client of slow) client.socket.resume();
    for (let looks = 0; looks < 50 && closed < SLOW_CONSUMERS; looks += 1) await delay(100);
    for (const client of [...watchers, ...slow]) client.close();
    for (const connection of backends.all) connection.close();
    onText(`recovered in ${recoveryS} s, ${closed} of ${SLOW_CONSUMERS} slow consumers closed\n`);
    return {
      capacityPerSecond,
      maxEventsPerSecond,
      steps,
      recoveryS,
      slowConsumers: SLOW_CONSUMERS,
      slowConsumersClosed: closed,
    };
  });
}

async function withServer<T>(
  sides: SideOptions,
  app: { readonly max_backend_events_per_second?: number },
  run: (endpoint: Endpoint, pid: number) => Promise<T>,
): Promise<T> {
  const side = await openSide("pipit", sides, { app });
  try {
    return await run(side.endpoint, side.pid ?? 0);
  } finally {
    await side.close();
  }
}

function subscribe(
  endpoint: Endpoint,
  count: number,
  onLost: () => void = () => {},
): Promise<LoadClient[]> {
  return openClients(count, async () => {
    const client = await openLoadClient(endpoint, { onDeliveries() {}, onLost });
    await client.subscribe(CHANNEL);
    return client;
  });
}

function openBackends(endpoint: Endpoint): Backends {
  const all = Array.from({ length: CONNECTIONS }, () => createHttpClient(endpoint));
  return { endpoint, free: [...all], all };
}

function batch(endpoint: Endpoint): Buffer {
  const event = { name: "order-created", channel: CHANNEL, data: "x".repeat(140) };
  return signedPost(endpoint, "/batch_events", { batch: new Array(BATCH).fill(event) });
}

/** All connections busy all the time: the first second warms up, then what is answered is counted. */
async function capacityOf(endpoint: Endpoint): Promise<number> {
  const watchers = await subscribe(endpoint, SUBSCRIBERS);
  const { all } = openBackends(endpoint);
  const request = batch(endpoint);
  let answered = 0;
  let isOver = false;
  for (const connection of all) {
    const next = (): void => {
      answered += 1;
      if (!isOver) connection.send(request, next);
    };
    connection.send(request, next);
  }
  await delay(1_000);
  const [before, beforeMs] = [answered, performance.now()];
  await delay(2_000);
  const rate = ((answered - before) * 1_000) / (performance.now() - beforeMs);
  isOver = true;
  for (const connection of all) connection.close();
  for (const client of watchers) client.close();
  return rate;
}

async function runStep(
  { endpoint, free }: Backends,
  share: number,
  perSecond: number,
  seconds: number,
  pid: number,
): Promise<Step> {
  const request = batch(endpoint);
  const latenciesMs: number[] = [];
  const statuses = new Map<number, number>();
  const health = watchHealth(endpoint);
  let due = 0;
  let notSent = 0;
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1_000;

  const offer = (): void => {
    const connection = free.pop();
    if (connection === undefined) {
      notSent += 1;
      return;
    }
    const sentMs = performance.now();
    connection.send(request, (status) => {
      free.push(connection);
      latenciesMs.push(performance.now() - sentMs);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
  };
  while (performance.now() < endMs) {
    const dueNow = ((performance.now() - startedMs) * perSecond) / 1_000;
    for (; due < dueNow; due += 1) offer();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const healthMaxMs = await health.stop();
  const count = (...codes: number[]): number =>
    codes.reduce((sum, code) => sum + (statuses.get(code) ?? 0), 0);
  return {
    share,
    offeredPerSecond: perSecond,
    publishedPerSecond: count(200) / seconds,
    refusedPerSecond: count(429, 503) / seconds,
    notSentPerSecond: notSent / seconds,
    otherStatuses: latenciesMs.length - count(200, 429, 503),
    p50Ms: quantileOf(latenciesMs, 0.5),
    p99Ms: quantileOf(latenciesMs, 0.99),
    healthMaxMs,
    rssMb: rssOf(pid) / 1_048_576,
  };
}

/** Asks again and again, on a connection of its own, one question at a time. */
function watchHealth(endpoint: Endpoint): { stop(): Promise<number> } {
  const connection = createHttpClient(endpoint);
  let isOver = false;
  let maxMs = 0;
  const watching = (async () => {
    while (!isOver) {
      maxMs = Math.max(maxMs, await ask(connection));
      await delay(HEALTH_EVERY_MS);
    }
    connection.close();
  })();
  return {
    async stop() {
      isOver = true;
      await watching;
      return maxMs;
    },
  };
}

/** How long an answer takes now: the slowest of twenty. */
async function answerMs(endpoint: Endpoint): Promise<number> {
  const connection = createHttpClient(endpoint);
  let maxMs = 0;
  for (let asked = 0; asked < 20; asked += 1) maxMs = Math.max(maxMs, await ask(connection));
  connection.close();
  return maxMs;
}

function ask(connection: HttpClient): Promise<number> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    connection.send(HEALTH, (status) => {
      if (status === 200) resolve(performance.now() - startedMs);
      else reject(new Error(`The server's health is answered with ${status}.`));
    });
  });
}

/** Seconds until twenty answers in a row are as quick as they were. */
async function recovery(endpoint: Endpoint, idleMs: number): Promise<number> {
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const quick = Math.max(idleMs * RECOVERED, 10);
  while ((await answerMs(endpoint)) > quick && elapsedMs() < MAX_RECOVERY_MS) await delay(10);
  return Number((elapsedMs() / 1_000).toFixed(2));
}
