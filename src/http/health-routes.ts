/**
 * The routes that probes ask, on the port of clients and on that of operators. None is signed.
 * `/health/*` are Pipit's own; the others are what probes written for other servers expect, to the body.
 * Source: protocol.md §6.10.
 */
import type { App, Apps } from "../apps/app.ts";
import { percentDecoded } from "../protocol/api-query.ts";
import type { HttpAnswer } from "./http-api.ts";
import { errorReply, okReply, type Reply } from "./reply.ts";
import { whenReady } from "./when-ready.ts";

/** Ready with reasons is degraded: it serves, and somebody should look. */
export interface Readiness {
  readonly ready: boolean;
  /** Sentences for operators, without secrets: anybody may read them. */
  readonly reasons: readonly string[];
  /** Not ready because the server is being stopped. */
  readonly isDraining?: boolean;
}

export interface MemoryUse {
  readonly usedBytes: number;
  readonly totalBytes: number;
}

export interface HealthParts {
  readiness(): Readiness;
  memory(): MemoryUse;
  readonly apps: Pick<Apps, "byId">;
  /** Above this share of memory in use `/accept-traffic` answers 500. */
  readonly memoryThresholdPercent?: number;
}

/** The answer, or undefined where there is no such route. `path`: as on the wire, without prefix and query. */
export type HealthRoutes = (
  method: string,
  path: string,
) => HttpAnswer | undefined | Promise<HttpAnswer>;

export const DEFAULT_MEMORY_THRESHOLD_PERCENT = 85;

const HEALTH_PATHS = [
  "/",
  "/ready",
  "/accept-traffic",
  "/usage",
  "/live",
  "/up",
  "/health/live",
  "/health/ready",
] as const;
type HealthPath = (typeof HEALTH_PATHS)[number];

const UP_APP = "/up/";
const UP_APP_ROUTE = "/up/{appId}";
const TEXT = "text/plain; charset=utf-8";

/** The methods of every health route. */
export const HEALTH_METHODS = "GET, HEAD";

/** The route that `path` belongs to, for metrics, or undefined. */
export function healthRoute(path: string): string | undefined {
  const route = HEALTH_PATHS.find((candidate) => candidate === path);
  if (route !== undefined) return route;
  const isUpApp = path.startsWith(UP_APP) && path.length > UP_APP.length;
  return isUpApp && !path.includes("/", UP_APP.length) ? UP_APP_ROUTE : undefined;
}

export function createHealthRoutes(parts: HealthParts): HealthRoutes {
  const { readiness, memory, apps } = parts;
  const thresholdPercent = parts.memoryThresholdPercent ?? DEFAULT_MEMORY_THRESHOLD_PERCENT;

  function reply(path: HealthPath): Reply {
    switch (path) {
      case "/":
        return textReply(200, "OK");
      case "/live":
        return textReply(200, "");
      case "/health/live":
        return okReply('{"live":true}');
      case "/health/ready": {
        const { ready, reasons } = readiness();
        return { status: ready ? 200 : 503, body: JSON.stringify({ ready, reasons }) };
      }
      case "/ready":
        return notReady(readiness()) ?? textReply(200, "OK");
      case "/accept-traffic":
        return notReady(readiness()) ?? acceptTraffic(memory(), thresholdPercent);
      case "/usage":
        return usage(memory());
      case "/up":
        return upReply(readiness());
    }
  }

  return (method, path) => {
    const route = healthRoute(path);
    if (route === undefined) return undefined;
    if (method !== "GET" && method !== "HEAD") {
      const refusal = errorReply(405, `${route} is read with GET.`, { Allow: HEALTH_METHODS });
      return { ...refusal, route };
    }
    if (route === UP_APP_ROUTE) {
      const app = apps.byId(percentDecoded(path.slice(UP_APP.length)));
      return whenReady(app, (found): HttpAnswer => ({ ...upApp(found, readiness()), route }));
    }
    return { ...reply(route as HealthPath), route };
  };
}

function textReply(status: number, body: string): Reply {
  return { status, body, contentType: TEXT };
}

function notReady({ ready, reasons }: Readiness): Reply | undefined {
  if (ready) return undefined;
  return errorReply(500, reasons.length === 0 ? "The server is not ready." : reasons.join(" "));
}

function percentOf({ usedBytes, totalBytes }: MemoryUse): number {
  return totalBytes === 0 ? 0 : (usedBytes / totalBytes) * 100;
}

function acceptTraffic(use: MemoryUse, thresholdPercent: number): Reply {
  const percentUsage = percentOf(use);
  if (percentUsage > thresholdPercent) {
    return errorReply(
      500,
      `${percentUsage.toFixed(1)} % of memory is in use, new traffic is taken up to ${thresholdPercent} %.`,
    );
  }
  const { usedBytes: usedSize, totalBytes: totalSize } = use;
  return okReply(JSON.stringify({ memory: { usedSize, totalSize, percentUsage } }));
}

function usage(use: MemoryUse): Reply {
  const { usedBytes: used, totalBytes: total } = use;
  const free = Math.max(0, total - used);
  return okReply(JSON.stringify({ memory: { free, used, total, percent: percentOf(use) } }));
}

/** The word is the body and a header. */
function wordReply(status: number, word: string): Reply {
  return { ...textReply(status, word), headers: { "X-Health-Check": word } };
}

function upReply({ ready, reasons, isDraining }: Readiness): Reply {
  if (isDraining === true) return wordReply(503, "DRAINING");
  if (!ready) return wordReply(503, "ERROR");
  return wordReply(200, reasons.length === 0 ? "OK" : "DEGRADED");
}

function upApp(app: App | undefined, readiness: Readiness): Reply {
  if (app === undefined) return wordReply(404, "NOT_FOUND");
  return app.settings.enabled ? upReply(readiness) : wordReply(503, "ERROR");
}
