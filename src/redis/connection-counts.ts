/**
 * How many connections the other nodes have of each app that has a limit, so that `max_connections` holds for
 * all nodes together. A node tells the others every second, and is told their numbers in answer. What came
 * since then is not known: the limit may be passed by what comes to other nodes within two reports, one there
 * and one here. A report costs Redis 40 µs with one such app and 1 ms with a thousand, among 10 nodes or 100.
 */
import type { Log } from "../protocol/log.ts";
import type { Commands } from "./commands.ts";
import { createDoubts } from "./doubts.ts";
import type { Keys } from "./keys.ts";
import { loadScript } from "./script.ts";

const REPORT = loadScript(new URL("./lua/report-connections.lua", import.meta.url), 3);

const REPORT_EVERY_MS = 1_000;

/** A node that has not reported for as long has no connections any more. */
const REPORTS_UNTIL_EXPIRY = 3;

/** Clients of an app that is nearly full have a new report sent after this time. */
const REPORT_SOON_MS = 200;

/** A node that has not reported for as many intervals may be gone. */
const REPORTS_UNTIL_DOUBT = 1.5;

/** The share of its limit from which an app is nearly full. */
const NEARLY_FULL_FROM = 0.9;

/** An app that has a limit, with its connections on this node. */
export interface LimitedApp {
  readonly appId: string;
  readonly connections: number;
  readonly maxConnections: number;
}

export interface ConnectionCounts {
  /** Reports now, and from then on every so often. Never rejects. */
  start(): Promise<void>;
  /**
   * The app's connections on other nodes, as the last report was answered; 0 once that is longer ago than a
   * report is good for. For each client that comes: those of an app that is nearly full hasten the next report.
   */
  elsewhere(appId: string): number;
  /**
   * Done once every node has reported since: then {@link elsewhere} says what they have now, true. False when one
   * has not in time (it may be gone, and its numbers with it), or when Redis has not answered. Never rejects.
   */
  confirm(): Promise<boolean>;
  /** Reports no more, and gives this node's share back to the others. Never rejects. Repeatable. */
  close(): Promise<void>;
  readonly counters: Readonly<ConnectionCountsCounters>;
}

export interface ConnectionCountsCounters {
  /** Answered by Redis. */
  reports: number;
  failures: number;
}

export interface ConnectionCountsParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly nodeId: string;
  /** The apps that have a limit now. While there are none nothing is reported. */
  readonly limited: () => Iterable<LimitedApp>;
  /** In ms. */
  readonly now: () => number;
  readonly log: Log;
  readonly everyMs?: number;
}

export function createConnectionCounts({
  commands,
  keys,
  nodeId,
  limited,
  now,
  log,
  everyMs = REPORT_EVERY_MS,
}: ConnectionCountsParts): ConnectionCounts {
  const leaseMs = everyMs * REPORTS_UNTIL_EXPIRY;
  const doubts = createDoubts(now, everyMs * REPORTS_UNTIL_DOUBT);
  const counters: ConnectionCountsCounters = { reports: 0, failures: 0 };
  let elsewhere: ReadonlyMap<string, number> = new Map();
  let nearlyFull: ReadonlySet<string> = new Set();
  let answeredMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let reporting: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let isHastened = false;
  /** There may be numbers of this node in Redis. */
  let isListed = false;
  let isFailing = false;

  async function report(): Promise<void> {
    const apps = [...limited()];
    const sentMs = now();
    try {
      if (apps.length > 0) {
        isListed = true;
        const { oldestMs, totals } = await reportConnections(commands, keys, nodeId, leaseMs, apps);
        take(apps, totals);
        doubts.reported(sentMs - oldestMs);
      } else {
        if (isListed) await takeOut();
        doubts.reported(sentMs);
      }
    } catch (error) {
      counters.failures += 1;
      doubts.drop();
      if (isFailing) return;
      isFailing = true;
      log.warn({ err: error }, "connections could not be reported");
    }
  }

  function take(apps: readonly LimitedApp[], totals: ReadonlyMap<string, number>): void {
    const others = new Map<string, number>();
    const full = new Set<string>();
    for (const { appId, connections, maxConnections } of apps) {
      const total = totals.get(appId) ?? 0;
      if (total > connections) others.set(appId, total - connections);
      if (total >= maxConnections * NEARLY_FULL_FROM) full.add(appId);
    }
    elsewhere = others;
    nearlyFull = full;
    answeredMs = now();
    counters.reports += 1;
    if (isFailing) log.info({}, "connections are reported again");
    isFailing = false;
  }

  function hasten(): void {
    if (isHastened || closing !== undefined) return;
    isHastened = true;
    // While a report is under way, it is the one after it.
    if (reporting === undefined) reportIn(REPORT_SOON_MS);
  }

  async function takeOut(): Promise<void> {
    await reportConnections(commands, keys, nodeId, 0, []);
    isListed = false;
    elsewhere = new Map();
    nearlyFull = new Set();
  }

  function reportIn(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void run(), ms);
  }

  async function run(): Promise<void> {
    isHastened = false;
    reporting = report();
    await reporting;
    reporting = undefined;
    if (closing === undefined) reportIn(isHastened || doubts.size > 0 ? REPORT_SOON_MS : everyMs);
  }

  async function end(): Promise<void> {
    clearTimeout(timer);
    doubts.drop();
    // A report that came after the farewell would list this node again.
    await reporting;
    // What cannot be taken out now ends with its lease.
    if (isListed) await takeOut().catch(() => {});
  }

  return {
    counters,
    async start() {
      if (closing === undefined) await run();
    },
    elsewhere(appId) {
      if (nearlyFull.has(appId)) hasten();
      return now() - answeredMs < leaseMs ? (elsewhere.get(appId) ?? 0) : 0;
    },
    confirm() {
      if (closing !== undefined) return Promise.resolve(false);
      hasten();
      return doubts.ask();
    },
    close() {
      closing ??= end();
      return closing;
    },
  };
}

export interface ReportedConnections {
  /** How long ago the node reported that has not for longest. */
  readonly oldestMs: number;
  /** Connections of all nodes by app. */
  readonly totals: ReadonlyMap<string, number>;
}

/** Reports, and answers what all have. A lease of 0 takes the node out. Rejects with RedisUnavailableError. */
export async function reportConnections(
  commands: Commands,
  keys: Keys,
  nodeId: string,
  leaseMs: number,
  apps: readonly LimitedApp[],
): Promise<ReportedConnections> {
  const used = apps.filter(({ connections }) => connections > 0);
  const counts = Object.fromEntries(used.map(({ appId, connections }) => [appId, connections]));
  // One partition for all apps: who reports is told everything in one answer.
  const its = ["conn-leases", "conn-counts", "conn-totals"].map((part) => keys.key(0, part));
  const reply = await commands.runScript(REPORT, its, [nodeId, leaseMs, JSON.stringify(counts)]);
  if (!Array.isArray(reply)) throw new TypeError(`${REPORT.name}.lua answered no list.`);
  const totals = new Map<string, number>();
  for (let at = 1; at + 1 < reply.length; at += 2) {
    totals.set(String(reply[at]), Number(reply[at + 1]));
  }
  return { oldestMs: Number(reply[0]), totals };
}
