/**
 * Opens the connections: the only file that names the client library.
 *
 * None of them keeps what cannot be sent, or sends anything twice by itself: what is safe to repeat is known
 * above. All of them come back for ever.
 */
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import type { RedisEndpoint, RedisSettings, RedisTls } from "./settings.ts";
import { redisTimings } from "./settings.ts";

export type RedisClient = Redis | Cluster;

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 10_000;
/** For the goodbyes of a connection that is given up: behind it there may be nobody. */
const DISCONNECT_TIMEOUT_MS = 500;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 1_000;
const SLOTS_REFRESH_MS = 5_000;

export interface Clients {
  readonly isCluster: boolean;
  /** For scripts and reads. */
  commands(): RedisClient;
  /** For publishing: what is sent within a turn of the event loop goes in one write. */
  publisher(): RedisClient;
  /** For hearing; on Redis Cluster the master `host:port`. */
  subscriber(master?: string): Redis;
}

interface ClientOptions {
  readonly enableAutoPipelining?: boolean;
}

/** Clients are made unconnected. Reads the files of `tls`, and throws when one is not there. */
export function createClients(settings: RedisSettings, random: () => number): Clients {
  const { url, sentinels, cluster } = settings;
  const tls = settings.tls && readTls(settings.tls);
  const retryAfterMs = (times: number): number => {
    const longestMs = Math.min(FIRST_RETRY_MS * 2 ** (times - 1), LONGEST_RETRY_MS);
    return Math.round(longestMs * (0.5 + random() / 2));
  };
  const common = {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    socketTimeout: redisTimings(settings).silenceTimeoutMs,
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: retryAfterMs,
    reconnectOnError: isDemoted,
    replyMapping: "legacy" as const,
    ...given("username", settings.username),
    ...given("password", settings.password),
    ...given("tls", tls),
  } satisfies RedisOptions;

  const one = (name: string, options: ClientOptions = {}): Redis => {
    const all = { ...common, ...given("db", settings.db), connectionName: name, ...options };
    if (sentinels === undefined) return new Redis(url ?? "redis://127.0.0.1:6379", all);
    return new Redis({
      ...all,
      sentinels: [...sentinels],
      name: settings.masterName ?? "mymaster",
      ...given("sentinelUsername", settings.sentinelUsername),
      ...given("sentinelPassword", settings.sentinelPassword),
      ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    });
  };

  const many = (
    nodes: readonly RedisEndpoint[],
    name: string,
    options: ClientOptions = {},
  ): Cluster => {
    // A connection to one master does not come back by itself: the cluster's client looks where to go.
    const { retryStrategy, enableOfflineQueue, lazyConnect, ...redisOptions } = common;
    return refreshing(
      new Cluster([...nodes], {
        lazyConnect,
        enableOfflineQueue,
        clusterRetryStrategy: retryStrategy,
        slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
        // Else what was under way when a connection closed is sent again, and may be done twice.
        retryDelayOnFailover: 0,
        redisOptions: { ...redisOptions, connectionName: name },
        ...options,
      }),
    );
  };

  const open = (name: string, options?: ClientOptions): RedisClient =>
    cluster === undefined ? one(name, options) : many(cluster, name, options);

  return {
    isCluster: cluster !== undefined,
    commands: () => silently(open("pipit-commands", { enableAutoPipelining: true })),
    publisher: () => silently(open("pipit-publisher", { enableAutoPipelining: true })),
    subscriber(master) {
      if (master === undefined) return silently(one("pipit-subscriber"));
      const at = master.lastIndexOf(":");
      const host = master.slice(0, at);
      const port = Number(master.slice(at + 1));
      return silently(new Redis({ ...common, connectionName: "pipit-subscriber", host, port }));
    },
  };
}

/** Looks for moved slots now and then. The library's own timer outlives a client that is closed while it looks. */
function refreshing(cluster: Cluster): Cluster {
  let timer: NodeJS.Timeout | undefined;
  cluster.on("ready", () => {
    clearInterval(timer);
    timer = setInterval(() => cluster.refreshSlotsCache(), SLOTS_REFRESH_MS);
  });
  cluster.on("close", () => clearInterval(timer));
  return cluster;
}

/** The library throws errors that nobody listens for; ours are told by what fails because of them. */
function silently<T extends RedisClient>(client: T): T {
  client.on("error", () => {});
  return client;
}

/** A master that has become a replica: the connection must go to its successor. */
function isDemoted(error: Error): boolean {
  return error.message.startsWith("READONLY");
}

function readTls(tls: RedisTls): ConnectionOptions {
  return {
    ...given("ca", tls.caFile && readFileSync(tls.caFile)),
    ...given("cert", tls.certFile && readFileSync(tls.certFile)),
    ...given("key", tls.keyFile && readFileSync(tls.keyFile)),
    ...given("passphrase", tls.passphrase),
    ...given("servername", tls.serverName),
  };
}

/** `{ key: value }`, or nothing where there is no value: the library tells undefined from absent. */
function given<K extends string, V>(
  key: K,
  value: V | undefined | "",
): { readonly [key in K]?: V } {
  return (value === undefined || value === "" ? {} : { [key]: value }) as { [key in K]?: V };
}
