/**
 * The REST API: every request from its head to its answer. Source: protocol.md §6.
 *
 * The order is that of what a request may cost: the turn's budget, route, app, key, clock and signature from the head
 * alone, then the rate of reads, and only then the body, its MD5 and its JSON.
 */
import type { App, Apps } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Channels } from "../channels/channels.ts";
import { type ApiQuery, readApiQuery } from "../protocol/api-query.ts";
import type { Log } from "../protocol/log.ts";
import { createApiRates } from "./api-rates.ts";
import { authRefusal } from "./authorize.ts";
import { createCors } from "./cors.ts";
import { HEALTH_METHODS, type HealthRoutes, healthRoute } from "./health-routes.ts";
import type { BodyWanted, HttpAnswer, HttpApi, RequestHead } from "./http-api.ts";
import { countAnswer, createHttpCounters, type HttpCounters } from "./http-counters.ts";
import { errorReply, quoted, type Reply } from "./reply.ts";
import {
  API_ROUTES,
  isForOperators,
  matchRoute,
  type RouteMatch,
  UNKNOWN_ROUTE,
} from "./routes.ts";
import { createSignedRoutes } from "./signed-routes.ts";
import { createTurnBudget, type TurnWork } from "./turn-budget.ts";
import type { WebhookRouteParts } from "./webhook-routes.ts";
import { type Maybe, whenReady } from "./when-ready.ts";

export interface HttpApiSettings {
  /** Empty, or begins with a slash and does not end with one. Requests without it are served as well. */
  readonly pathPrefix: string;
  readonly maxBodyBytes: number;
  /** Origins whose pages may read answers; `*` is any. */
  readonly corsOrigins: readonly string[];
}

export interface HttpApiParts {
  readonly apps: Apps;
  readonly channels: Pick<Channels, "publish" | "terminateUser" | "cached">;
  readonly state: Pick<ChannelState, "channel" | "channels" | "users" | "snapshot">;
  readonly webhooks: WebhookRouteParts;
  readonly health: HealthRoutes;
  readonly settings: HttpApiSettings;
  /** The time of day, in ms. */
  readonly now: () => number;
  /** A clock for durations, in ms with fractions. */
  readonly elapsedMs: () => number;
  readonly turnWork: TurnWork;
  /** Told of each answer: the route's pattern and how long the answer took from the head on, in seconds. */
  readonly observeRequest: (route: string, status: number, seconds: number) => void;
  readonly log: Log;
}

export interface RestApi extends HttpApi {
  readonly counters: HttpCounters;
}

/** A request under way. `app` is set once it is found, for its traffic counters. */
interface Visit {
  /** Tells requests apart in the log and in the answer to a fault: {@link idOf}. */
  readonly number: number;
  readonly head: RequestHead;
  /** Without the prefix. */
  readonly path: string;
  readonly startedMs: number;
  route: string;
  app: App | undefined;
  bytesReceived: number;
}

const NO_BODY = Buffer.alloc(0);
/** What a driver's error carries in `code` when a cluster service is away and the caller may try again. */
const UNAVAILABLE_CODE = /^PIPIT_[A-Z]+_UNAVAILABLE$/;

export function createHttpApi(parts: HttpApiParts): RestApi {
  const { apps, channels, state, webhooks, health, settings, now, elapsedMs, observeRequest, log } =
    parts;
  const turn = createTurnBudget(parts.turnWork);
  const { pathPrefix, maxBodyBytes } = settings;
  const counters = createHttpCounters();
  const cors = createCors(settings.corsOrigins);
  const rates = createApiRates(now);
  const answerSigned = createSignedRoutes({ channels, state, webhooks, rates });

  let requests = 0;

  function begin(head: RequestHead): Maybe<HttpAnswer | BodyWanted> {
    requests += 1;
    const visit: Visit = {
      number: requests,
      head,
      path: withoutPrefix(head.path, pathPrefix),
      startedMs: elapsedMs(),
      route: UNKNOWN_ROUTE,
      app: undefined,
      bytesReceived: 0,
    };
    return guarded(visit, () => answerHead(visit));
  }

  /** Runs `work` and turns its reply, or whatever it throws or rejects with, into the answer. */
  function guarded<Wanted extends BodyWanted>(
    visit: Visit,
    work: () => Maybe<Reply | Wanted>,
  ): Maybe<HttpAnswer | Wanted> {
    try {
      const result = work();
      if (!(result instanceof Promise)) return settled(visit, result);
      return result.then(
        (reply) => settled(visit, reply),
        (error: unknown) => answer(visit, faultReply(visit, error)),
      );
    } catch (error) {
      return answer(visit, faultReply(visit, error));
    }
  }

  function settled<Wanted extends BodyWanted>(
    visit: Visit,
    result: Reply | Wanted,
  ): HttpAnswer | Wanted {
    return "finish" in result ? result : answer(visit, result);
  }

  /** The one place where a reply leaves: counted, and readable for the pages that may read it. */
  function answer(visit: Visit, reply: Reply): HttpAnswer {
    const { head, route, app } = visit;
    countAnswer(counters, route, reply.status);
    if (reply.status === 429) counters.rateLimited += 1;
    if (reply.status >= 400) {
      log.debug(
        {
          request_id: idOf(visit),
          route,
          app_id: app?.id,
          status: reply.status,
          address: head.address(),
        },
        "request refused",
      );
    }
    if (app !== undefined) {
      app.traffic.httpRequests += 1;
      app.traffic.httpBytesReceived += visit.bytesReceived;
      app.traffic.httpBytesSent += Buffer.byteLength(reply.body);
    }
    observeRequest(route, reply.status, (elapsedMs() - visit.startedMs) / 1_000);
    const corsHeaders = cors.headers(head);
    const { status, body, contentType } = reply;
    const headers =
      corsHeaders === undefined ? reply.headers : { ...reply.headers, ...corsHeaders };
    // Field by field: a spread of the reply kept each request alive until a full collection (Node 20), which cost
    // 5 of 38 µs a request (npm run bench -- --scenario post-events).
    return { status, body, contentType, headers, route };
  }

  function faultReply(visit: Visit, error: unknown): Reply {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (typeof code === "string" && UNAVAILABLE_CODE.test(code)) {
      counters.unavailable += 1;
      return errorReply(503, `A service of the cluster is away (${code}): try again.`, {
        "Retry-After": "1",
      });
    }
    counters.failed += 1;
    log.error(
      { request_id: idOf(visit), route: visit.route, app_id: visit.app?.id, err: error },
      "request failed",
    );
    return errorReply(
      500,
      `The server failed at this request: see request_id ${idOf(visit)} in its log.`,
    );
  }

  function answerHead(visit: Visit): Maybe<Reply | BodyWanted> {
    const { head, path } = visit;
    const match = matchRoute(path);
    if (match === undefined) return answerUnsigned(visit);
    const { pattern, method } = API_ROUTES[match.name];
    visit.route = pattern;
    const methods = method === "GET" ? HEALTH_METHODS : method;
    if (head.method === "OPTIONS") return cors.preflight(head, `${methods}, OPTIONS`);
    if (head.method !== method && !(head.method === "HEAD" && method === "GET")) {
      return errorReply(405, `${pattern} takes ${methods}, not ${quoted(head.method)}.`, {
        Allow: `${methods}, OPTIONS`,
      });
    }
    // Operators see and change what is wrong also when there is too much to do.
    if (turn.isSpent(visit.startedMs) && !isForOperators(match.name)) return overloadedReply();
    const query = readApiQuery(head.query);
    return whenReady(findApp(match, query), (app) => {
      if (app !== undefined) return answerApp(visit, match, app, query);
      return match.appId === undefined
        ? errorReply(401, `auth_key is ${quoted(query.authKey)}, the key of an app is needed.`)
        : errorReply(404, unknownAppProblem(match.appId, isForOperators(match.name)));
    });
  }

  /** Health, or nothing. */
  function answerUnsigned(visit: Visit): Maybe<Reply> {
    const { head, path } = visit;
    const route = healthRoute(path);
    if (route === undefined) {
      return errorReply(404, `There is nothing at ${quoted(path)}.`);
    }
    visit.route = route;
    if (head.method === "OPTIONS") return cors.preflight(head, `${HEALTH_METHODS}, OPTIONS`);
    return whenReady(
      health(head.method, path),
      (found): Reply => found ?? errorReply(404, `There is nothing at ${quoted(path)}.`),
    );
  }

  function findApp({ appId }: RouteMatch, { authKey }: ApiQuery): Maybe<App | undefined> {
    if (appId !== undefined) return apps.byId(appId);
    return authKey === undefined ? undefined : apps.byKey(authKey);
  }

  function answerApp(
    visit: Visit,
    match: RouteMatch,
    app: App,
    query: ApiQuery,
  ): Maybe<Reply | BodyWanted> {
    const { method, contentLength } = visit.head;
    visit.app = app;
    const refusal = authRefusal(app, { method, path: visit.path, pathPrefix }, query, now(), {
      servesDisabledApps: isForOperators(match.name),
    });
    if (refusal !== undefined) return refusal;

    const isRead = API_ROUTES[match.name].method === "GET";
    const limited = isRead ? rates.takeRead(app) : undefined;
    if (limited !== undefined) return limited;
    if (isRead && (contentLength ?? 0) === 0) return answerSigned(match, app, query, NO_BODY);

    if (contentLength !== undefined && contentLength > maxBodyBytes) {
      counters.bodiesTooLarge += 1;
      return tooLargeReply(`${contentLength} bytes`);
    }
    return {
      route: visit.route,
      maxBodyBytes,
      // A function, since it counts among the answers only when transport takes it; a getter in a literal is
      // defined anew for each request, which cost 6 of 27 µs (npm run bench -- --scenario post-events).
      tooLarge: () => answer(visit, tooLargeReply("more")),
      finish: (body) => answerBody(visit, match, app, query, body),
    };
  }

  function overloadedReply(): Reply {
    counters.overloaded += 1;
    return errorReply(503, "The server has more to do than it can: try again.", {
      "Retry-After": "1",
    });
  }

  function tooLargeReply(found: string): Reply {
    return errorReply(413, `The body has ${found}, ${maxBodyBytes} bytes are allowed.`);
  }

  function answerBody(
    visit: Visit,
    match: RouteMatch,
    app: App,
    query: ApiQuery,
    body: Buffer,
  ): Maybe<HttpAnswer> {
    visit.bytesReceived = body.length;
    return guarded<never>(visit, () => answerSigned(match, app, query, body));
  }

  return { begin, counters };
}

function idOf({ number }: Visit): string {
  return number.toString(36);
}

/** Nobody can sign for an app that is not configured: who comes to clear up after one is told the way. */
function unknownAppProblem(appId: string, isOperators: boolean): string {
  const problem = `There is no app ${quoted(appId)}.`;
  if (!isOperators) return problem;
  return `${problem} What its webhooks have left can be seen and dropped once it is configured again, which enabled: false does too.`;
}

/** `path` as the routes know it. A proxy may have stripped the prefix already, so its absence is no fault. */
function withoutPrefix(path: string, prefix: string): string {
  if (prefix === "" || !path.startsWith(prefix)) return path;
  const rest = path.slice(prefix.length);
  if (rest === "") return "/";
  return rest.startsWith("/") ? rest : path;
}
