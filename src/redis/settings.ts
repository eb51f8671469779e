/** What the connections need to know. Everything but where Redis is has a default. */
import { DEFAULT_PARTITIONS } from "../protocol/partition.ts";
import { DEFAULT_KEY_PREFIX } from "./keys.ts";

export interface RedisEndpoint {
  readonly host: string;
  readonly port: number;
}

/** The endpoint in `host:port`, where IPv6 stands in brackets. Throws a RangeError for anything else. */
export function parseEndpoint(text: string): RedisEndpoint {
  const [, bracketed, host = bracketed, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new RangeError(`${JSON.stringify(text)} is no host:port.`);
  return { host, port: Number(port) };
}

/** Files are PEM, read by `connect`. */
export interface RedisTls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly passphrase?: string | undefined;
  /** The name that the certificate must carry, when it is not the host. */
  readonly serverName?: string | undefined;
}

/** One of `url`, `sentinels` and `cluster` says where Redis is. */
export interface RedisSettings {
  /** `redis://user:password@host:port/db`, `rediss://` for TLS. */
  readonly url?: string | undefined;
  readonly sentinels?: readonly RedisEndpoint[] | undefined;
  /** What the sentinels call the master. */
  readonly masterName?: string | undefined;
  readonly sentinelUsername?: string | undefined;
  readonly sentinelPassword?: string | undefined;
  /** Some nodes of a Redis Cluster; the rest is learnt from them. */
  readonly cluster?: readonly RedisEndpoint[] | undefined;
  /** Given: TLS, for sentinels too. */
  readonly tls?: RedisTls | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Not on Redis Cluster. Topics do not know it: deployments that share a Redis need prefixes of their own. */
  readonly db?: number | undefined;
  readonly keyPrefix?: string | undefined;
  readonly partitions?: number | undefined;
  readonly commandTimeoutMs?: number | undefined;
  readonly publishTimeoutMs?: number | undefined;
  readonly subscribeTimeoutMs?: number | undefined;
  /** A connection from which an answer is due, and that says nothing for so long, is opened again. */
  readonly silenceTimeoutMs?: number | undefined;
  readonly probeIntervalMs?: number | undefined;
  readonly lingerMs?: number | undefined;
  /** Commands and publishes, each, that may wait for an answer; further ones are refused. */
  readonly maxInFlight?: number | undefined;
}

export interface RedisTimings {
  readonly commandTimeoutMs: number;
  readonly publishTimeoutMs: number;
  readonly subscribeTimeoutMs: number;
  readonly silenceTimeoutMs: number;
  readonly probeIntervalMs: number;
  readonly lingerMs: number;
  readonly maxInFlight: number;
}

export function redisTimings(settings: RedisSettings): RedisTimings {
  return {
    commandTimeoutMs: settings.commandTimeoutMs ?? 2_000,
    publishTimeoutMs: settings.publishTimeoutMs ?? 500,
    subscribeTimeoutMs: settings.subscribeTimeoutMs ?? 5_000,
    silenceTimeoutMs: settings.silenceTimeoutMs ?? 5_000,
    probeIntervalMs: settings.probeIntervalMs ?? 10_000,
    lingerMs: settings.lingerMs ?? 2_000,
    maxInFlight: settings.maxInFlight ?? 20_000,
  };
}

export function keySettings(settings: RedisSettings) {
  return {
    prefix: settings.keyPrefix ?? DEFAULT_KEY_PREFIX,
    partitions: settings.partitions ?? DEFAULT_PARTITIONS,
  };
}
