/** Endpoints and events of the webhook routes as JSON. Source: protocol.md §6.11. */
import type { EndpointStatus, FoundEvent, LaneFailure } from "../webhooks/operations.ts";
import type { DeadLetter, OutboxEvent } from "../webhooks/outbox.ts";
import { loggableOrigin } from "../webhooks/receiver.ts";

/** What is most worth knowing about an endpoint: the first that holds, from the right. */
export type EndpointCondition = "healthy" | "backing_off" | "paused" | "disabled" | "removed";

/** `url`: as configured, undefined when it is no longer. Only its origin is told: a path may hold a token. */
export function statusFields(
  status: EndpointStatus,
  url: string | undefined,
  nowMs: number,
): Readonly<Record<string, unknown>> {
  const { endpointId, configured, pause, failing, backlog, oldestMs, deadLetters } = status;
  return {
    id: endpointId,
    origin: url === undefined ? null : loggableOrigin(url),
    state: conditionOf(status),
    configured,
    pause: pause === undefined ? null : { reason: pause.reason, since_ms: pause.sinceMs },
    failing: failureFields(failing),
    backlog,
    oldest_ms: oldestMs ?? null,
    oldest_age_ms: oldestMs === undefined ? null : Math.max(0, nowMs - oldestMs),
    dead_letters: deadLetters,
  };
}

export function conditionOf({ configured, pause, failing }: EndpointStatus): EndpointCondition {
  if (configured !== "enabled") return configured;
  if (pause !== undefined) return "paused";
  return failing === undefined ? "healthy" : "backing_off";
}

/** Without the payload, which `show` has. */
export function letterFields(letter: DeadLetter): Readonly<Record<string, unknown>> {
  const { event, reason, status, diedMs } = letter;
  return { ...eventFields(event), reason, last_status: status ?? null, died_ms: diedMs };
}

/** Where an event stands, with its payload: the object that receivers get. */
export function foundJson(found: FoundEvent): string {
  const event = found.place === "dead" ? found.letter.event : found.event;
  const fields =
    found.place === "dead"
      ? letterFields(found.letter)
      : { ...eventFields(event), failing: failureFields(found.failing) };
  const head = JSON.stringify({ place: found.place, ...fields });
  return `${head.slice(0, -1)},"payload":${event.json}}`;
}

/** Without the payload. */
export function eventFields({ id, type, channel, decidedMs, bytes }: OutboxEvent) {
  return { id, event: type, channel, bytes, decided_ms: decidedMs };
}

function failureFields(failing: LaneFailure | undefined) {
  if (failing === undefined) return null;
  const { sinceMs, attempts, lastStatus } = failing;
  return { since_ms: sinceMs, attempts, last_status: lastStatus };
}
