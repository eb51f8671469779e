/** The routes of the API and which of them a path means. Source: protocol.md §6.3–§6.7. */
import { percentDecoded } from "../protocol/api-query.ts";

/** Each route's pattern, which names it in metrics, and its method. GET routes answer HEAD too. */
export const API_ROUTES = {
  events: { pattern: "/apps/{id}/events", method: "POST" },
  batchEvents: { pattern: "/apps/{id}/batch_events", method: "POST" },
  channels: { pattern: "/apps/{id}/channels", method: "GET" },
  channel: { pattern: "/apps/{id}/channels/{name}", method: "GET" },
  users: { pattern: "/apps/{id}/channels/{name}/users", method: "GET" },
  terminate: { pattern: "/apps/{id}/users/{user_id}/terminate_connections", method: "POST" },
  // The Python library leaves the app out of the path.
  terminateByKey: { pattern: "/users/{user_id}/terminate_connections", method: "POST" },
} as const;

export type ApiRouteName = keyof typeof API_ROUTES;

/** The route of every request that no route takes. */
export const UNKNOWN_ROUTE = "unknown";

export interface RouteMatch {
  readonly name: ApiRouteName;
  /** Undefined when the app is found by its key. */
  readonly appId: string | undefined;
  /** The channel or the user id, decoded; empty where the route has none. */
  readonly subject: string;
}

const APPS = "/apps/";
const CHANNELS = "/channels/";
const CHANNEL_USERS = "/users";
const USERS = "/users/";
const TERMINATE = "/terminate_connections";

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
