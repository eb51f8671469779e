/** Which pages of other origins may read the API's answers. Source: protocol.md §6.10. */
import type { RequestHead } from "./http-api.ts";
import type { Reply } from "./reply.ts";

export interface Cors {
  /** What every answer to `head` carries; undefined for a request that no page sent, or whose origin may not read it. */
  headers(head: RequestHead): Readonly<Record<string, string>> | undefined;
  /** The answer to OPTIONS on a route that takes `methods`. */
  preflight(head: RequestHead, methods: string): Reply;
}

/** How long a browser may keep the answer to a preflight, in seconds; no browser keeps it longer. */
const PREFLIGHT_MAX_AGE_S = 7_200;
const DEFAULT_REQUEST_HEADERS = "Content-Type, X-Requested-With, X-Pusher-Library";

/** `origins`: exact origins (`https://example.com`), or `*` for any; none lets no page in. */
export function createCors(origins: readonly string[]): Cors {
  const allowsAny = origins.includes("*");
  const allowed = new Set(origins.map((origin) => origin.toLowerCase()));

  function headers({ origin }: RequestHead): Readonly<Record<string, string>> | undefined {
    if (origin === undefined) return undefined;
    if (allowsAny) return { "Access-Control-Allow-Origin": "*" };
    if (!allowed.has(origin.toLowerCase())) return { Vary: "Origin" };
    return { "Access-Control-Allow-Origin": origin, Vary: "Origin" };
  }

  return {
    headers,
    preflight(head, methods) {
      return {
        status: 204,
        body: "",
        headers: {
          Allow: methods,
          "Access-Control-Allow-Methods": methods,
          "Access-Control-Allow-Headers":
            head.accessControlRequestHeaders ?? DEFAULT_REQUEST_HEADERS,
          "Access-Control-Max-Age": String(PREFLIGHT_MAX_AGE_S),
        },
      };
    },
  };
}
