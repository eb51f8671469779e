/** An HTTP API over fake channels and a fake state, spoken to through begin and finish, without a network. */
import { createHash } from "node:crypto";
import { type App, type AppSettings, createAppTraffic } from "../../src/apps/app.ts";
import type { ChannelCounts } from "../../src/channel-state/channel-state.ts";
import type { ChannelSnapshot, NoSnapshot } from "../../src/channel-state/snapshot.ts";
import type { EventToPublish } from "../../src/channels/channels.ts";
import { createHealthRoutes, type Readiness } from "../../src/http/health-routes.ts";
import type { BodyWanted, HttpAnswer, RequestHead } from "../../src/http/http-api.ts";
import { createHttpApi, type HttpApiParts, type RestApi } from "../../src/http/rest-api.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { sign, signingKey } from "../../src/protocol/signature.ts";
import { createTestApp, KEY, SECRET } from "../support/test-app.ts";
import { fakeWebhooks } from "./fake-webhooks.ts";

export { KEY, SECRET };
export const NOW_S = 1_353_088_179;

/** No client events: what this room does has no use for them. */
export function testSettings(changes: Partial<AppSettings> = {}): AppSettings {
  const { settings } = createTestApp({ features: { clientMessages: false } });
  return { ...settings, ...changes };
}

export function withLimits(limits: Partial<AppSettings["limits"]>): AppSettings {
  const settings = testSettings();
  return { ...settings, limits: { ...settings.limits, ...limits } };
}

export function withSubscriptionCount(): AppSettings {
  const settings = testSettings();
  return { ...settings, features: { ...settings.features, subscriptionCount: true } };
}

/** What a test may ask for and look at. */
export interface TestApi {
  readonly api: RestApi;
  readonly app: App;
  /** Events handed to channels, in order. */
  readonly published: EventToPublish[];
  readonly terminated: string[];
  readonly counts: Map<string, ChannelCounts>;
  readonly members: Map<string, ReadonlyMap<string, string>>;
  /** Of each partition. */
  readonly snapshots: (ChannelSnapshot | NoSnapshot)[];
  readonly cache: Map<string, { eventJson: string; dataJson: string; ttlMs: number }>;
  readonly observed: { route: string; status: number; seconds: number }[];
  readonly errors: unknown[];
  readiness: Readiness;
  nowMs: number;
  request(options: TestRequest): Promise<TestAnswer>;
}

export interface TestRequest {
  readonly method?: string;
  readonly path: string;
  /** Parameters besides the signature's own. */
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The query as it is, instead of one that is signed rightly. */
  readonly query?: string;
  readonly head?: Partial<RequestHead>;
  /** The path that is signed where it is not `path`. */
  readonly signedPath?: string;
}

export interface TestAnswer extends HttpAnswer {
  /** The parsed body; undefined where it is no JSON. */
  readonly json: unknown;
  /** The text in `error`. */
  readonly error: string;
  readonly wasBodyRead: boolean;
}

export function createTestApi(
  settings: AppSettings = testSettings(),
  changes: Partial<HttpApiParts> = {},
): TestApi {
  const app: App = { id: "3", settings, traffic: createAppTraffic() };
  const published: EventToPublish[] = [];
  const terminated: string[] = [];
  const counts = new Map<string, ChannelCounts>();
  const members = new Map<string, ReadonlyMap<string, string>>();
  const snapshots: TestApi["snapshots"] = [];
  const cache: TestApi["cache"] = new Map();
  const observed: TestApi["observed"] = [];
  const errors: unknown[] = [];
  const apps: HttpApiParts["apps"] = {
    driver: "fake",
    byId: (id) => (id === app.id ? app : undefined),
    byKey: (key) => (app.settings.keys.has(key) ? app : undefined),
    known: () => [app],
  };
  const api = createHttpApi({
    apps,
    channels: {
      publish: (_app, events) => void published.push(...events),
      terminateUser: (_app, userId) => void terminated.push(userId),
      cached: (_app, channel) => cache.get(channel),
    },
    state: {
      channel: (_appId, channel) => counts.get(channel) ?? { subscriptions: 0, users: 0 },
      channels: (_appId, prefix) =>
        new Map([...counts].filter(([name]) => name.startsWith(prefix))),
      users: (_appId, channel) => members.get(channel) ?? new Map(),
      snapshot: (_appId, partition) => snapshots[partition] ?? "no partition",
    },
    webhooks: {
      operations: fakeWebhooks().operations,
      lastDelivery: () => undefined,
      now: () => test.nowMs,
    },
    health: createHealthRoutes({
      readiness: () => test.readiness,
      memory: () => ({ usedBytes: 25, totalBytes: 100 }),
      apps,
    }),
    settings: { pathPrefix: "", maxBodyBytes: 1_000_000, corsOrigins: ["*"] },
    now: () => test.nowMs,
    elapsedMs: () => test.nowMs,
    turnWork: {
      afterTurn: queueMicrotask,
      cpuMs: () => test.nowMs,
      hasMuchToSend: () => false,
    },
    observeRequest: (route, status, seconds) => void observed.push({ route, status, seconds }),
    log: { ...SILENT_LOG, error: (fields) => void errors.push(fields) },
    ...changes,
  });
  const test: TestApi = {
    api,
    app,
    published,
    terminated,
    counts,
    members,
    snapshots,
    cache,
    observed,
    errors,
    readiness: { ready: true, reasons: [] },
    nowMs: NOW_S * 1_000,
    request: (options) => send(api, options, Math.floor(test.nowMs / 1_000)),
  };
  return test;
}

async function send(api: RestApi, options: TestRequest, nowS: number): Promise<TestAnswer> {
  const { path, params = {}, head = {} } = options;
  const method = options.method ?? (options.body === undefined ? "GET" : "POST");
  const body = Buffer.from(options.body ?? "");
  const query =
    options.query ?? signedQuery(method, options.signedPath ?? path, params, options.body, nowS);
  const begun = await api.begin({
    method,
    path,
    query,
    origin: undefined,
    contentLength: options.body === undefined ? undefined : body.length,
    accessControlRequestHeaders: undefined,
    address: () => "127.0.0.1",
    ...head,
  });
  const answer = isBodyWanted(begun) ? await begun.finish(body) : begun;
  const json: unknown =
    answer.contentType === undefined && answer.body !== "" ? JSON.parse(answer.body) : undefined;
  const error =
    typeof json === "object" && json !== null && "error" in json ? String(json.error) : "";
  return { ...answer, json, error, wasBodyRead: isBodyWanted(begun) };
}

export function isBodyWanted(begun: HttpAnswer | BodyWanted): begun is BodyWanted {
  return "finish" in begun;
}

/** A query signed as protocol.md §6.1 says, written here apart from the code under test. */
export function signedQuery(
  method: string,
  path: string,
  params: Readonly<Record<string, string>> = {},
  body?: string | Buffer,
  nowS: number = NOW_S,
): string {
  const all: Record<string, string> = {
    auth_key: KEY,
    auth_timestamp: String(nowS),
    auth_version: "1.0",
    ...params,
  };
  if (body !== undefined && body.length > 0) {
    all.body_md5 ??= createHash("md5").update(body).digest("hex");
  }
  const pairs = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  const signed = pairs.map(([key, value]) => `${key}=${value}`).join("&");
  const signature = sign(signingKey(SECRET), `${method}\n${path}\n${signed}`);
  const sent = pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  return `${sent}&auth_signature=${signature}`;
}
