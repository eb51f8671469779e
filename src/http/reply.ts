/** What a route answers, before the API adds the route's name and CORS headers. Source: protocol.md §6.9. */
import type { HttpAnswer } from "./http-api.ts";

export type Reply = Omit<HttpAnswer, "route">;

/** `body` is JSON already. */
export function okReply(body: string): Reply {
  return { status: 200, body };
}

/** The answer of whatever has nothing to tell: some libraries insist on JSON. */
export const EMPTY_REPLY: Reply = okReply("{}");

/** `error` is one sentence for the developer at the other end: what was found against what is allowed. */
export function errorReply(
  status: number,
  error: string,
  headers?: Readonly<Record<string, string>>,
): Reply {
  const body = JSON.stringify({ error, code: status });
  return headers === undefined ? { status, body } : { status, body, headers };
}

/** Longest piece of a caller's input that is quoted back, in characters. */
const MAX_QUOTED_LENGTH = 64;

/** Input as it may stand in a sentence: escaped and cut. */
export function quoted(input: string | undefined): string {
  if (input === undefined) return "missing";
  return JSON.stringify(input.slice(0, MAX_QUOTED_LENGTH));
}
