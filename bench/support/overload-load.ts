/** The load of bench:overload: more requests than one core carries, offered at a rate that waits for nobody. */
import { setTimeout as delay } from "node:timers/promises";
import { type Backends, type Offered, openBackends } from "./backends.ts";
import { cpuUsOf, waitedUsOf } from "./cpu-time.ts";
import type { Endpoint } from "./endpoint.ts";
import { answerMs, watchHealth } from "./health-watch.ts";
import { type LoadClient, openClients, openLoadClient } from "./load-client.ts";
import { openSide, type SideOptions } from "./sides.ts";

/** What one rate of load came to. */
export interface Step {
  /** Of the rate that the server carries: 2 is twice as much. */
  readonly share: number;
  readonly offeredPerSecond: number;
  /** Requests that backends did not send, since 6,400 of them had no answer yet. */
  readonly givenUpPerSecond: number;
  readonly publishedPerSecond: number;
  readonly refusedPerSecond: number;
  /** Answers other than 200, 429 and 503, and requests whose connection was lost. */
  readonly failed: number;
  /** From when a request was due to its answer, refusals included. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly healthMaxMs: number;
  readonly maxRssMb: number;
  /** CPU time in seconds a second: of the server, and of the load, which must have time to spare. */
  readonly serverBusy: number;
  /** Part of the time in which the server could have run and did not get its core. */
  readonly serverWaited: number;
  readonly loadBusy: number;
}

/** A server under a rising load, without any, and under a falling one. */
export interface Overload {
  /** The limit that the app had, in events per second; undefined: none. */
  readonly maxEventsPerSecond: number | undefined;
  readonly rising: readonly Step[];
  /** From the end of the load until all was answered, and answers came as quickly as before it. */
  readonly recoveryS: number;
  readonly falling: readonly Step[];
  readonly slowConsumers: number;
  readonly slowConsumersClosed: number;
}

export interface OverloadOptions {
  readonly sides: SideOptions;
  /** Ascending: offered one after the other, and backwards after a pause. */
  readonly shares: readonly number[];
  readonly capacityPerSecond: number;
  readonly maxEventsPerSecond: number | undefined;
  readonly secondsPerStep: number;
  readonly onText: (text: string) => void;
}

const CHANNEL = "private-overload";
const SUBSCRIBERS = 10;
const SLOW_CONSUMERS = 10;
const MAX_RECOVERY_MS = 30_000;
/** Answers are as quick as before the load when they take no more than this many times as long. */
const RECOVERED = 3;
const QUICK_MS = 10;

/**
 * Requests per second of one core: how many the server publishes in a second of its CPU time, while more wait than it
 * can take. By the clock it would be less where the core is not the server's alone, and twice that no overload.
 */
export async function capacityOf(sides: SideOptions, seconds: number): Promise<number> {
  return withServer(sides, undefined, async (endpoint, pid) => {
    const watchers = await subscribe(endpoint, SUBSCRIBERS);
    const backends = openBackends(endpoint, CHANNEL);
    const stop = backends.saturate();
    // Lets V8 compile what is measured.
    await delay(seconds * 500);
    const [published, cpuUs] = [backends.published, cpuUsOf(pid)];
    await delay(seconds * 1_000);
    const perSecond = ((backends.published - published) * 1e6) / (cpuUsOf(pid) - cpuUs);
    stop();
    backends.close();
    for (const client of watchers) client.close();
    return perSecond;
  });
}

export async function runOverload(options: OverloadOptions): Promise<Overload> {
  const { sides, shares, maxEventsPerSecond } = options;
  return withServer(sides, maxEventsPerSecond, async (endpoint, pid) => {
    const watchers = await subscribe(endpoint, SUBSCRIBERS);
    let closed = 0;
    const slow = await subscribe(endpoint, SLOW_CONSUMERS, () => {
      closed += 1;
    });
    for (const client of slow) client.socket.pause();
    const idleMs = await answerMs(endpoint);
    const backends = openBackends(endpoint, CHANNEL);
    const step = (share: number) => runStep(options, { endpoint, pid, backends }, share);

    const rising: Step[] = [];
    for (const share of shares) rising.push(await step(share));
    const recoveryS = await recovery(endpoint, backends, idleMs);
    options.onText(`recovered in ${recoveryS} s\n`);
    const falling: Step[] = [];
    for (const share of shares.toReversed().slice(1)) falling.push(await step(share));

    // What was kept for them was thrown away with them: reading on, they find the end.
    for (const client of slow) client.socket.resume();
    for (let looks = 0; looks < 50 && closed < SLOW_CONSUMERS; looks += 1) await delay(100);
    for (const client of [...watchers, ...slow]) client.close();
    backends.close();
    return {
      maxEventsPerSecond,
      rising,
      recoveryS,
      falling,
      slowConsumers: SLOW_CONSUMERS,
      slowConsumersClosed: closed,
    };
  });
}

async function withServer<T>(
  sides: SideOptions,
  maxEventsPerSecond: number | undefined,
  run: (endpoint: Endpoint, pid: number) => Promise<T>,
): Promise<T> {
  const app =
    maxEventsPerSecond === undefined ? {} : { max_backend_events_per_second: maxEventsPerSecond };
  const side = await openSide("pipit", sides, { app });
  try {
    if (side.pid === undefined) throw new Error("The server's process is not known.");
    return await run(side.endpoint, side.pid);
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

interface Running {
  readonly endpoint: Endpoint;
  readonly pid: number;
  readonly backends: Backends;
}

async function runStep(
  { capacityPerSecond, secondsPerStep, onText }: OverloadOptions,
  { endpoint, pid, backends }: Running,
  share: number,
): Promise<Step> {
  const health = watchHealth(endpoint, pid);
  const [serverUs, waitedUs] = [cpuUsOf(pid), waitedUsOf(pid)];
  const [load, startedMs] = [process.cpuUsage(), performance.now()];
  const offered = await backends.offer(share * capacityPerSecond, secondsPerStep);
  const { user, system } = process.cpuUsage(load);
  const seconds = (performance.now() - startedMs) / 1_000;
  const serverBusy = (cpuUsOf(pid) - serverUs) / 1e6 / seconds;
  const serverWaited = (waitedUsOf(pid) - waitedUs) / 1e6 / seconds;
  const { maxMs, maxRssBytes } = await health.stop();
  const step: Step = {
    share,
    ...countsOf(offered),
    p50Ms: offered.p50Ms,
    p99Ms: offered.p99Ms,
    healthMaxMs: maxMs,
    maxRssMb: maxRssBytes / 1_048_576,
    serverBusy,
    serverWaited,
    loadBusy: (user + system) / 1e6 / seconds,
  };
  onText(
    `${share} offered ${step.offeredPerSecond.toFixed(0)}/s: published ${step.publishedPerSecond.toFixed(0)}/s, ` +
      `refused ${step.refusedPerSecond.toFixed(0)}/s, given up ${step.givenUpPerSecond.toFixed(0)}/s, ` +
      `p99 ${step.p99Ms.toFixed(1)} ms, health ${maxMs.toFixed(1)} ms, ${step.maxRssMb.toFixed(0)} MB, ` +
      `server ${(serverBusy * 100).toFixed(0)} % (waited ${(serverWaited * 100).toFixed(0)} %), load ${(step.loadBusy * 100).toFixed(0)} % of a core\n`,
  );
  return step;
}

function countsOf({ seconds, due, givenUp, answers, lost }: Offered) {
  let answered = 0;
  for (const count of answers.values()) answered += count;
  const published = answers.get(200) ?? 0;
  const refused = (answers.get(429) ?? 0) + (answers.get(503) ?? 0);
  return {
    offeredPerSecond: due / seconds,
    givenUpPerSecond: givenUp / seconds,
    publishedPerSecond: published / seconds,
    refusedPerSecond: refused / seconds,
    failed: answered - published - refused + lost,
  };
}

/** Seconds until nothing waits for an answer any more and twenty answers in a row are as quick as they were. */
async function recovery(endpoint: Endpoint, backends: Backends, idleMs: number): Promise<number> {
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  const quickMs = Math.max(idleMs * RECOVERED, QUICK_MS);
  while (elapsedMs() < MAX_RECOVERY_MS) {
    if (backends.pending === 0 && (await answerMs(endpoint)) <= quickMs) break;
    await delay(10);
  }
  return Number((elapsedMs() / 1_000).toFixed(2));
}
