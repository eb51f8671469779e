/** The listener for operators: metrics and health, apart from the port that clients reach. */
import { createServer, type ServerResponse } from "node:http";
import type { MetricsRegistry } from "./metrics-registry.ts";

/** An answer of the health routes. `body` is JSON unless `contentType` says otherwise. */
export interface HealthAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Answers a health path, or undefined where there is none. `path` is as on the wire, without the query. */
export type HealthRoutes = (
  method: string,
  path: string,
) => HealthAnswer | undefined | Promise<HealthAnswer | undefined>;

export interface MetricsListenerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly health: HealthRoutes;
  readonly registry: MetricsRegistry;
  readonly log: {
    readonly error: (fields: Readonly<Record<string, unknown>>, message: string) => void;
  };
}

export interface MetricsListener {
  /** Rejects with MetricsListenError. */
  listen(): Promise<void>;
  /** Where it listens, undefined before `listen` and after `close`. */
  address(): { readonly host: string; readonly port: number } | undefined;
  /** Ends open connections too. May be called without `listen` and more than once. */
  close(): Promise<void>;
}

/** The metrics port could not be opened. */
export class MetricsListenError extends Error {
  override readonly name = "MetricsListenError";
  readonly code: "PIPIT_METRICS_PORT_IN_USE" | "PIPIT_METRICS_LISTEN_FAILED";
  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    const isInUse = cause.code === "EADDRINUSE";
    const problem = isInUse
      ? "is in use"
      : `cannot be listened on (${cause.code ?? cause.message})`;
    super(
      `Metrics address ${host}:${port} ${problem}: ${isInUse ? "stop what listens there, or set" : "set"} metrics.host and metrics.port to another one, or metrics.enabled to false.`,
      { cause },
    );
    this.code = isInUse ? "PIPIT_METRICS_PORT_IN_USE" : "PIPIT_METRICS_LISTEN_FAILED";
  }
}

/** Requests are short and few: a client that is slow about its headers is not a scraper. */
const HEADERS_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 256;

export function createMetricsListener(options: MetricsListenerOptions): MetricsListener {
  const { host, port, registry, health, log } = options;
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS },
    (request, response) => {
      answer(request.method ?? "GET", request.url ?? "/").then(
        (found) => write(response, found),
        (error: unknown) => {
          log.error({ err: error }, "metrics request failed");
          write(response, jsonError(500, "The answer could not be made: see the server's log."));
        },
      );
    },
  );
  server.maxConnections = MAX_CONNECTIONS;

  async function answer(method: string, url: string): Promise<HealthAnswer> {
    const at = url.indexOf("?");
    const path = at === -1 ? url : url.slice(0, at);
    if (path === "/metrics") return metrics(method, at === -1 ? "" : url.slice(at + 1));
    const found = await health(method, path);
    return (
      found ?? jsonError(404, `Nothing at ${JSON.stringify(path.slice(0, 64))}: try /metrics.`)
    );
  }

  async function metrics(method: string, query: string): Promise<HealthAnswer> {
    if (method !== "GET" && method !== "HEAD") {
      return { ...jsonError(405, "Metrics are read with GET."), headers: { Allow: "GET, HEAD" } };
    }
    const wanted = new URLSearchParams(query).get("json");
    if (wanted !== null && wanted !== "0" && wanted !== "false") {
      return { status: 200, body: await registry.json() };
    }
    return { status: 200, body: await registry.text(), contentType: registry.contentType };
  }

  return {
    listen() {
      return new Promise((resolve, reject) => {
        const failed = (error: NodeJS.ErrnoException) => {
          reject(new MetricsListenError(host, port, error));
        };
        server.once("error", failed);
        server.listen({ host, port, exclusive: true }, () => {
          server.off("error", failed);
          server.on("error", (error) => log.error({ err: error }, "metrics listener failed"));
          resolve();
        });
      });
    },
    address() {
      const bound = server.address();
      if (bound === null || typeof bound === "string") return undefined;
      return { host: bound.address, port: bound.port };
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

function jsonError(status: number, error: string): HealthAnswer {
  return { status, body: JSON.stringify({ error, code: status }) };
}

/** Node leaves the body of an answer to HEAD out by itself and keeps its length. */
function write(
  response: ServerResponse,
  { status, body, contentType, headers }: HealthAnswer,
): void {
  response.writeHead(status, {
    "Content-Type": contentType ?? "application/json",
    "Content-Length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
