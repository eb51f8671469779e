/** What `pipit start` prints once it listens: for a person who wants to go on from here. Never a secret. */
import type { AppConfig, Config } from "../config/config.ts";

export interface Started {
  readonly version: string;
  readonly uws: { readonly name: string; readonly version: string };
  readonly file: string | undefined;
  /** The port that was opened; another than configured only when 0 was. */
  readonly port: number;
}

export function startText(config: Config, started: Started): string {
  const { uws } = started;
  const { metrics } = config;
  const secure = config.ssl === undefined ? "" : "s";
  const authority = `${bracketed(config.host)}:${started.port}${config.path_prefix}`;
  const metricsPort = metrics.port === 0 ? "<free port>" : metrics.port;
  const lines = [
    ["Clients", `ws${secure}://${authority}/app/<key>`],
    ["HTTP API", `http${secure}://${authority}/apps/<id>`],
    [
      "Metrics",
      metrics.enabled ? `http://${bracketed(metrics.host)}:${metricsPort}/metrics` : "off",
    ],
    ...config.app_manager.apps.map((app, index) => [index === 0 ? "Apps" : "", appText(app)]),
    ["Drivers", `apps ${config.app_manager.driver}; adapter, channel state, cache, outbox memory`],
    ["Native", `${uws.name} ${uws.version}, Node ${process.versions.node}`],
    ["Config", started.file ?? "defaults, environment and flags"],
  ];
  const body = lines.map(([name = "", text = ""]) => `  ${name.padEnd(10)}${text}\n`).join("");
  return `Pipit ${started.version} is listening.\n\n${body}\n${nextText(config, started.port)}`;
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
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "[::1]" : bracketed(host);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
