/** A received delivery as `pipit webhooks listen` shows it. */
import type { Forwarded } from "./webhooks-forward.ts";
import { countText } from "./webhooks-text.ts";
import type { Verdict } from "./webhooks-verdict.ts";

export interface ReceivedDelivery {
  readonly receivedMs: number;
  /** Of the header, as the two that follow; undefined: it was not there. */
  readonly delivery: string | undefined;
  readonly attempt: string | undefined;
  /** In the order of the body's events. */
  readonly ids: readonly string[];
  readonly body: Buffer;
  readonly verdict: Verdict;
  /** Undefined: it was handed on to nobody. */
  readonly forwarded: Forwarded | undefined;
  /** What was answered; undefined: the sender did not wait for it. */
  readonly status: number | undefined;
}

/** What is shown of an event. */
type EventFields = Readonly<Record<string, unknown>>;

/** Longest piece of an event that is shown, in characters. */
const MAX_SHOWN_LENGTH = 120;

export function deliveryText(received: ReceivedDelivery, isJson: boolean): string {
  const events = eventsOf(received.body);
  return isJson ? jsonLine(received, events) : lines(received, events);
}

function lines(received: ReceivedDelivery, events: readonly EventFields[]): string {
  const {
    receivedMs,
    delivery = "none",
    attempt = "?",
    ids,
    verdict,
    forwarded,
    status,
  } = received;
  const time = new Date(receivedMs).toISOString().slice(11, 23);
  const count = countText(events.length, "event");
  const end = status === undefined ? "not answered" : `answered ${status}`;
  const head = `${time} ${count}, attempt ${attempt}, delivery ${delivery}, ${end}`;
  const shown = events.map((event, at) => `  ${eventLine(event)}  ${ids[at] ?? "no id"}`);
  const judged =
    verdict.refusal === undefined ? "  signature ok" : `  REFUSED. ${printable(verdict.refusal)}`;
  const notes = verdict.notes.map((note) => `  note: ${printable(note)}`);
  const handedOn = forwarded === undefined ? [] : [`  ${forwardText(forwarded)}`];
  return `${[head, ...shown, judged, ...notes, ...handedOn].join("\n")}\n`;
}

function eventLine({ name, channel, ...rest }: EventFields): string {
  const more = Object.keys(rest).length === 0 ? "" : `  ${JSON.stringify(rest)}`;
  const text = printable(`${String(name)}  ${String(channel)}${more}`);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}

function forwardText(forwarded: Forwarded): string {
  return "status" in forwarded
    ? `handed on: ${forwarded.status}`
    : `no answer from your receiver (${forwarded.reason}): does it run?`;
}

function jsonLine(received: ReceivedDelivery, events: readonly EventFields[]): string {
  const { receivedMs, delivery, attempt, ids, verdict, forwarded, status } = received;
  const line = {
    received_ms: receivedMs,
    delivery: delivery ?? null,
    attempt: attempt === undefined ? null : Number(attempt),
    events: events.map((event, at) => ({ id: ids[at] ?? null, ...event })),
    refusal: verdict.refusal ?? null,
    notes: verdict.notes,
    forwarded: forwarded ?? null,
    answered: status ?? null,
  };
  return `${JSON.stringify(line)}\n`;
}

/** Anybody may send anything here: no line of it may look like one of ours, or steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "\ufffd");
}

function eventsOf(body: Buffer): readonly EventFields[] {
  try {
    const json: unknown = JSON.parse(body.toString());
    const events = typeof json === "object" && json !== null && "events" in json ? json.events : [];
    return Array.isArray(events) ? events.filter(isObject) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

function isObject(value: unknown): value is EventFields {
  return typeof value === "object" && value !== null;
}
