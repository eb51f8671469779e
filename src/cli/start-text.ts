/** What `pipit start` prints once it listens: for a person who wants to go on from here. Never a secret. */
import type { AppConfig, Config } from "../config/config.ts";
import type { CommandedServer } from "./world.ts";

type RedisConfig = NonNullable<Config["redis"]>;

export interface Origin {
  readonly version: string;
  /** The file that the configuration came from. */
  readonly file: string | undefined;
}

export function startText(config: Config, server: CommandedServer, origin: Origin): string {
  const { uws, drivers } = server.describe();
  const address = server.address();
  const port = address?.port ?? config.port;
  const secure = config.ssl === undefined ? "" : "s";
  const authority = `${bracketed(config.host)}:${port}${config.path_prefix}`;
  const metricsPort = address?.metrics?.port ?? config.metrics.port;
  const metrics = `http://${bracketed(config.metrics.host)}:${metricsPort}/metrics`;
  const lines = [
    ["Clients", `ws${secure}://${authority}/app/<key>`],
    ["HTTP API", `http${secure}://${authority}/apps/<id>`],
    ["Metrics", config.metrics.enabled ? metrics : "off"],
    ...config.app_manager.apps.map((app, index) => [index === 0 ? "Apps" : "", appText(app)]),
    ["Drivers", driverText(drivers)],
    ...(config.redis === undefined ? [] : [["Redis", redisText(config.redis)]]),
    ["Native", `${uws?.name ?? "not loaded"} ${uws?.version ?? ""}, Node ${process.versions.node}`],
    ["Config", origin.file ?? "defaults, environment and flags"],
  ];
  const body = lines.map(([name = "", text = ""]) => `  ${name.padEnd(10)}${text}\n`).join("");
  return `Pipit ${origin.version} is listening.\n\n${body}\n${nextText(config, port)}`;
}

/** Where the other nodes are met. A password in the URL is no business of whoever reads this. */
function redisText(redis: RedisConfig): string {
  const { url, sentinels, master_name, cluster, key_prefix, partitions } = redis;
  const place = sentinels
    ? `${master_name} of the sentinels ${sentinels.join(", ")}`
    : cluster
      ? `cluster of ${cluster.join(", ")}`
      : withoutCredentials(url ?? "");
  return `${place}, keys ${key_prefix}*, ${partitions} partitions`;
}

function withoutCredentials(text: string): string {
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}

/** `memory (apps, adapter, cache)`: parts with one driver together. */
function driverText(drivers: Readonly<Record<string, string>>): string {
  const parts = new Map<string, string[]>();
  for (const [part, driver] of Object.entries(drivers)) {
    parts.set(driver, [...(parts.get(driver) ?? []), part.replaceAll("_", " ")]);
  }
  return [...parts].map(([driver, names]) => `${driver} (${names.join(", ")})`).join("; ");
}

function appText(app: AppConfig): string {
  const keys = app.keys?.filter(({ enabled }) => enabled).map(({ key }) => key) ?? [app.key];
  const state = app.enabled ? "" : ", disabled";
  return `id ${app.id}, key ${keys.join(", ")}${state}`;
}

/** Shows at once that the server answers; the quick start in the README goes on. */
function nextText(config: Config, port: number): string {
  const [curl, scheme] = config.ssl === undefined ? ["curl", "http"] : ["curl -k", "https"];
  const url = `${scheme}://${reachable(config.host)}:${port}${config.path_prefix}/health/ready`;
  return `Try:  ${curl} ${url}\nThen: the quick start in README.md connects a client and publishes an event.\n`;
}

/** A host that stands for every address of the machine is reached from here by the loopback one. */
export function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "[::1]" : bracketed(host);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
