/** What operators send to the webhook routes: queries and bodies, read or refused. Source: protocol.md §6.11. */
import { apiParameters } from "../protocol/api-query.ts";
import { isWebhookEventType, WEBHOOK_EVENT_TYPES } from "../protocol/webhook-event.ts";
import type { Step, Wanted } from "../webhooks/operations.ts";
import type { DeathReason } from "../webhooks/outbox.ts";
import { isCursor } from "../webhooks/steps.ts";
import { quoted } from "./reply.ts";

/** Most events that one step looks at. */
export const MAX_STEP_LIMIT = 1_000;
export const DEFAULT_PAGE_LIMIT = 100;
export const DEFAULT_STEP_LIMIT = 500;
const EVENT_ID = /^\d{1,20}-\d{1,6}-\d{1,20}-\d{1,20}$/;
const DEATH_REASONS: readonly DeathReason[] = ["budget", "refused", "overflow"];
const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  "auth_key",
  "auth_timestamp",
  "auth_version",
  "auth_signature",
  "body_md5",
]);

/** A step through certain dead letters. */
export interface LetterStep {
  readonly wanted: Wanted;
  readonly step: Step;
}

type Fields = Readonly<Record<string, unknown>>;

/** The parameters besides those of the signature, all of them in `known`, or what is wrong. */
export function readParameters(
  query: string,
  known: readonly string[],
): ReadonlyMap<string, string> | string {
  const parameters = new Map<string, string>();
  for (const [key, value] of apiParameters(query)) {
    if (SIGNATURE_PARAMETERS.has(key)) continue;
    if (!known.includes(key)) {
      // Ignored it would show, or promise to change, more than was asked for.
      return `${quoted(key)} is no parameter of this route: it takes ${known.join(", ")}.`;
    }
    parameters.set(key, value);
  }
  return parameters;
}

/** `cursor`, `limit`, `channel`, `event` and `reason` in a query. */
export function readLetterQuery(query: string): LetterStep | string {
  const parameters = readParameters(query, ["cursor", "limit", "channel", "event", "reason"]);
  if (typeof parameters === "string") return parameters;
  const limit = parameters.get("limit");
  const fields: Fields = {
    ...Object.fromEntries(parameters),
    ...(limit === undefined ? {} : { limit: /^\d{1,9}$/.test(limit) ? Number(limit) : limit }),
  };
  const step = readStep(fields, DEFAULT_PAGE_LIMIT);
  if (typeof step === "string") return step;
  const wanted = readWanted(fields);
  return typeof wanted === "string" ? wanted : { wanted, step };
}

/** Which dead letters a body means. To mean all of them it has to say so. */
export function readLetterBody(body: unknown): LetterStep | string {
  const known = ["ids", "channel", "event", "reason", "all", "cursor", "limit"];
  const fields = readFields(body, known);
  if (typeof fields === "string") return fields;
  const step = readStep(fields, DEFAULT_STEP_LIMIT);
  if (typeof step === "string") return step;
  const wanted = readWanted(fields);
  if (typeof wanted === "string") return wanted;
  const isPart = Object.keys(wanted).length > 0;
  const { all } = fields;
  if (all !== undefined && all !== true) return '"all" must be true, or left out.';
  if (all === true && isPart) {
    return '"all" goes with none of "ids", "channel", "event" and "reason".';
  }
  if (all === undefined && !isPart) {
    return 'Say which events are meant: "ids", "channel", "event" or "reason", or "all": true.';
  }
  return { wanted, step };
}

/** `{"backlog": true}`: what waits is meant, not the dead letters. */
export function isBacklogBody(body: unknown): boolean {
  return typeof body === "object" && body !== null && "backlog" in body;
}

export function readBacklogBody(body: unknown): Step | string {
  const fields = readFields(body, ["backlog", "cursor", "limit"]);
  if (typeof fields === "string") {
    return `${fields} With "backlog" all that waits is dropped, it cannot be chosen from.`;
  }
  if (fields.backlog !== true) return '"backlog" must be true, or left out.';
  return readStep(fields, DEFAULT_STEP_LIMIT);
}

export function readMoveBody(body: unknown): { readonly to: string; readonly step: Step } | string {
  const fields = readFields(body, ["to", "cursor", "limit"]);
  if (typeof fields === "string") return fields;
  const step = readStep(fields, DEFAULT_STEP_LIMIT);
  if (typeof step === "string") return step;
  const { to } = fields;
  if (typeof to !== "string" || to === "") {
    return '"to" must be the id of the endpoint that gets the events.';
  }
  return { to, step };
}

/** A body that says nothing: empty or `{}`. The sentence when it says something. */
export function emptyBodyProblem(body: unknown): string | undefined {
  const fields = readFields(body, []);
  return typeof fields === "string" ? fields : undefined;
}

function readFields(body: unknown, known: readonly string[]): Fields | string {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return "The body must be a JSON object.";
  }
  const unknownKey = Object.keys(body).find((key) => !known.includes(key));
  if (unknownKey === undefined) return body as Fields;
  const takes = known.length === 0 ? "no fields" : known.map((key) => `"${key}"`).join(", ");
  return `${quoted(unknownKey)} is no field of this body: it takes ${takes}.`;
}

function readStep({ cursor, limit }: Fields, defaultLimit: number): Step | string {
  if (cursor !== undefined && cursor !== null && typeof cursor !== "string") {
    return '"cursor" must be what the call before answered as "next".';
  }
  if (typeof cursor === "string" && !isCursor(cursor)) {
    return `"cursor" is ${quoted(cursor)}, what the call before answered as "next" is needed.`;
  }
  if (limit === undefined) return { cursor: cursor ?? undefined, limit: defaultLimit };
  const isInRange =
    typeof limit === "number" && Number.isInteger(limit) && limit >= 1 && limit <= MAX_STEP_LIMIT;
  if (!isInRange) {
    const found = quoted(String(limit));
    return `"limit" is ${found}, a whole number from 1 to ${MAX_STEP_LIMIT} is needed.`;
  }
  return { cursor: cursor ?? undefined, limit };
}

function readWanted({ ids, channel, event, reason }: Fields): Wanted | string {
  let wanted: Wanted = {};
  if (ids !== undefined) {
    const problem = idsProblem(ids);
    if (problem !== undefined) return problem;
    wanted = { ...wanted, ids: new Set(ids as readonly string[]) };
  }
  if (channel !== undefined) {
    if (typeof channel !== "string" || channel === "")
      return '"channel" must be a channel\'s name.';
    wanted = { ...wanted, channel };
  }
  if (event !== undefined) {
    if (!isWebhookEventType(event)) return eventProblem(event);
    wanted = { ...wanted, type: event };
  }
  if (reason !== undefined) {
    if (!isDeathReason(reason)) {
      const found = quoted(String(reason));
      return `"reason" is ${found}, one of ${DEATH_REASONS.join(", ")} is needed.`;
    }
    wanted = { ...wanted, reason };
  }
  return wanted;
}

/** The sentence for a value that is no type of event. */
export function eventProblem(event: unknown): string {
  const found = typeof event === "string" ? quoted(event) : "missing";
  return `"event" is ${found}, one of ${WEBHOOK_EVENT_TYPES.join(", ")} is needed.`;
}

function isDeathReason(value: unknown): value is DeathReason {
  return (DEATH_REASONS as readonly unknown[]).includes(value);
}

function idsProblem(ids: unknown): string | undefined {
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MAX_STEP_LIMIT) {
    return `"ids" must be a list of 1 to ${MAX_STEP_LIMIT} event ids.`;
  }
  const wrong: unknown = ids.find((id) => typeof id !== "string" || !EVENT_ID.test(id));
  if (wrong === undefined) return undefined;
  return `"ids" has ${quoted(String(wrong))}, an id like "1780000000000-12-1780000000123-0" is needed.`;
}
