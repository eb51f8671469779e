/** The routes of the API and which of them a path means. Source: protocol.md §6.3–§6.7, §6.11. */
import { percentDecoded } from "../protocol/api-query.ts";

/** Each route's pattern, which names it in metrics, and its method. GET routes answer HEAD too. */
export const API_ROUTES = {
  events: { pattern: "/apps/{id}/events", method: "POST" },
  batchEvents: { pattern: "/apps/{id}/batch_events", method: "POST" },
  channels: { pattern: "/apps/{id}/channels", method: "GET" },
  channel: { pattern: "/apps/{id}/channels/{name}", method: "GET" },
  users: { pattern: "/apps/{id}/channels/{name}/users", method: "GET" },
  webhookSnapshot: { pattern: "/apps/{id}/webhooks/snapshot", method: "GET" },
  terminate: { pattern: "/apps/{id}/users/{user_id}/terminate_connections", method: "POST" },
  // The Python library leaves the app out of the path.
  terminateByKey: { pattern: "/users/{user_id}/terminate_connections", method: "POST" },
  webhooks: { pattern: "/apps/{id}/webhooks", method: "GET" },
  webhookExplain: { pattern: "/apps/{id}/webhooks/explain", method: "GET" },
  webhookDeadLetters: { pattern: "/apps/{id}/webhooks/{endpoint}/dead_letters", method: "GET" },
  webhookEvent: { pattern: "/apps/{id}/webhooks/{endpoint}/events/{event_id}", method: "GET" },
  webhookReplay: { pattern: "/apps/{id}/webhooks/{endpoint}/replay", method: "POST" },
  webhookDrop: { pattern: "/apps/{id}/webhooks/{endpoint}/drop", method: "POST" },
  webhookMove: { pattern: "/apps/{id}/webhooks/{endpoint}/move", method: "POST" },
  webhookPause: { pattern: "/apps/{id}/webhooks/{endpoint}/pause", method: "POST" },
  webhookResume: { pattern: "/apps/{id}/webhooks/{endpoint}/resume", method: "POST" },
  webhookRetry: { pattern: "/apps/{id}/webhooks/{endpoint}/retry", method: "POST" },
} as const;

export type ApiRouteName = keyof typeof API_ROUTES;

/**
 * Whether a route is for those who run the app: it is answered for a disabled app, too, whose webhooks may
 * still wait.
 */
export function isForOperators(name: ApiRouteName): boolean {
  return API_ROUTES[name].pattern.startsWith("/apps/{id}/webhooks");
}

/** The route of every request that no route takes. */
export const UNKNOWN_ROUTE = "unknown";

export interface RouteMatch {
  readonly name: ApiRouteName;
  /** Undefined when the app is found by its key. */
  readonly appId: string | undefined;
  /** The channel, the user id or the webhook endpoint's id, decoded; empty where the route has none. */
  readonly subject: string;
  /** Only where the route names an event. */
  readonly eventId?: string;
}

const APPS = "/apps/";
const CHANNELS = "/channels/";
const CHANNEL_USERS = "/users";
const USERS = "/users/";
const TERMINATE = "/terminate_connections";
const WEBHOOKS = "/webhooks";
/** What follows `/webhooks`, and what follows an endpoint there. */
const WEBHOOK_ROUTES: ReadonlyMap<string, ApiRouteName> = new Map([
  ["", "webhooks"],
  ["/explain", "webhookExplain"],
]);
const ENDPOINT_ROUTES: ReadonlyMap<string, ApiRouteName> = new Map([
  ["dead_letters", "webhookDeadLetters"],
  ["replay", "webhookReplay"],
  ["drop", "webhookDrop"],
  ["move", "webhookMove"],
  ["pause", "webhookPause"],
  ["resume", "webhookResume"],
  ["retry", "webhookRetry"],
]);

/** The route of `path` (as on the wire, without prefix and query), or undefined. */
export function matchRoute(path: string): RouteMatch | undefined {
  if (!path.startsWith(APPS)) return matchTerminate(path, "terminateByKey", undefined);
  const end = path.indexOf("/", APPS.length);
  if (end === -1) return undefined;
  const appId = percentDecoded(path.slice(APPS.length, end));
  const rest = path.slice(end);
  if (rest === "/events") return { name: "events", appId, subject: "" };
  if (rest === "/batch_events") return { name: "batchEvents", appId, subject: "" };
  if (rest === "/channels") return { name: "channels", appId, subject: "" };
  if (rest === "/webhooks/snapshot") return { name: "webhookSnapshot", appId, subject: "" };
  if (rest.startsWith(WEBHOOKS)) return matchWebhooks(rest.slice(WEBHOOKS.length), appId);
  if (!rest.startsWith(CHANNELS)) return matchTerminate(rest, "terminate", appId);

  // The length keeps a channel that is called "users" a channel.
  const isUsers =
    rest.endsWith(CHANNEL_USERS) && rest.length > CHANNELS.length + CHANNEL_USERS.length;
  const channel = rest.slice(CHANNELS.length, isUsers ? -CHANNEL_USERS.length : undefined);
  if (channel === "" || channel.includes("/")) return undefined;
  return { name: isUsers ? "users" : "channel", appId, subject: percentDecoded(channel) };
}

/** User ids stand in the path as they are, so one may contain a slash. */
function matchTerminate(
  rest: string,
  name: ApiRouteName,
  appId: string | undefined,
): RouteMatch | undefined {
  if (!rest.startsWith(USERS) || !rest.endsWith(TERMINATE)) return undefined;
  const userId = rest.slice(USERS.length, -TERMINATE.length);
  if (rest.length <= USERS.length + TERMINATE.length) return undefined;
  return { name, appId, subject: percentDecoded(userId) };
}

/** `rest`: what follows `/webhooks`. An endpoint that is called "explain" is still found: its routes go on. */
function matchWebhooks(rest: string, appId: string): RouteMatch | undefined {
  const whole = WEBHOOK_ROUTES.get(rest);
  if (whole !== undefined) return { name: whole, appId, subject: "" };
  const [before, endpoint, action = "", eventId, ...more] = rest.split("/");
  if (before !== "" || !endpoint || more.length > 0) return undefined;
  const subject = percentDecoded(endpoint);
  if (action === "events") {
    if (!eventId) return undefined;
    return { name: "webhookEvent", appId, subject, eventId: percentDecoded(eventId) };
  }
  const name = ENDPOINT_ROUTES.get(action);
  return name === undefined || eventId !== undefined ? undefined : { name, appId, subject };
}
