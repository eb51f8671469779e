/** What an answer means for the batch, its events and its endpoint. Source: architecture.md §5, Failure. */
import type { Answer } from "./target.ts";

/** Classes of attempts, as the metrics name them. */
export const OUTCOMES = [
  "2xx",
  "3xx",
  "4xx",
  "5xx",
  "timeout",
  "connection",
  "refused_target",
] as const;

export type Outcome = (typeof OUTCOMES)[number];

export function outcomeOf(answer: Answer): Outcome {
  if (answer.kind !== "answered") return answer.kind;
  if (answer.status >= 200 && answer.status < 300) return "2xx";
  if (answer.status >= 300 && answer.status < 400) return "3xx";
  if (answer.status >= 400 && answer.status < 500) return "4xx";
  return "5xx";
}

/** What a failure is called where it is remembered: the status, or why there was none. */
export function failureStatus(answer: Answer): string {
  return answer.kind === "answered" ? String(answer.status) : answer.kind;
}

/**
 * Whose fault a failure is. `batch`: the receiver read it and refuses something in it. `doubtful`: so only if
 * the endpoint took another batch meanwhile. `gone`: the receiver says that it wants nothing any more, which may be a mistake of the day.
 */
export type Fault = "endpoint" | "batch" | "doubtful" | "gone";

/** Answers of a receiver that is set up wrongly, or of what stands in front of it. */
const DOUBTFUL = [401, 403, 404];

/** Answers that ask to try again. */
const TRY_AGAIN = [408, 409, 425, 429];

export function faultOf(answer: Answer): Fault {
  if (outcomeOf(answer) !== "4xx" || answer.kind !== "answered") return "endpoint";
  if (answer.status === 410) return "gone";
  if (DOUBTFUL.includes(answer.status)) return "doubtful";
  return TRY_AGAIN.includes(answer.status) ? "endpoint" : "batch";
}

/** How long the answer asks to wait, in ms, 0 when it does not; `Retry-After` in seconds or as a date. */
export function retryAfterMs(answer: Answer, nowMs: number): number {
  const value = answer.kind === "answered" ? answer.retryAfter?.trim() : undefined;
  if (value === undefined || value === "") return 0;
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isNaN(waitMs) ? 0 : Math.max(0, waitMs);
}
