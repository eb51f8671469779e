/** `pipit webhooks list` and `show`: dead letters, and one event with its payload. */
import { type LetterRow, lettersAnswer } from "./webhooks-answers.ts";
import type { ApiClient, Fields } from "./webhooks-client.ts";
import { ageText, countText, tableText, timeText } from "./webhooks-text.ts";

export interface LetterChoice {
  readonly channel?: string;
  readonly event?: string;
  readonly reason?: string;
}

export interface LetterList {
  readonly letters: readonly LetterRow[];
  /** There are more. */
  readonly isCut: boolean;
}

/** Events that the server looks at for one page. */
const PAGE_LIMIT = 1_000;

/** At most `most` of those that are meant, page after page. */
export async function fetchLetters(
  client: ApiClient,
  endpoint: string,
  { channel, event, reason }: LetterChoice,
  most: number,
): Promise<LetterList> {
  const letters: LetterRow[] = [];
  const limit = String(Math.min(PAGE_LIMIT, most + 1));
  let cursor: string | undefined;
  do {
    const route = `/${encodeURIComponent(endpoint)}/dead_letters`;
    const page = lettersAnswer(await client.get(route, { channel, event, reason, limit, cursor }));
    letters.push(...page.dead_letters);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && letters.length <= most);
  return { letters: letters.slice(0, most), isCut: letters.length > most };
}

export function lettersText(list: LetterList, endpoint: string, nowMs: number): string {
  if (list.letters.length === 0) return `Endpoint ${endpoint} has no such dead letters.\n`;
  const head = ["EVENT ID", "EVENT", "CHANNEL", "REASON", "LAST", "DECIDED", "DIED"];
  const rows = list.letters.map(
    ({ id, event, channel, reason, last_status, decided_ms, died_ms }) => [
      id,
      event,
      channel,
      reason,
      last_status ?? "-",
      `${ageText(nowMs - decided_ms)} ago`,
      `${ageText(nowMs - died_ms)} ago`,
    ],
  );
  const count = countText(list.letters.length, "dead letter");
  const end = list.isCut ? `The first ${count}; --limit shows more.` : `${count}.`;
  return `${tableText(head, rows)}\n${end}\n`;
}

/** An event that waits or is dead, line by line, and its payload. */
export async function fetchEvent(
  client: ApiClient,
  endpoint: string,
  eventId: string,
): Promise<Fields> {
  return client.get(`/${encodeURIComponent(endpoint)}/events/${encodeURIComponent(eventId)}`);
}

export function eventText(event: Fields): string {
  const failing = event.failing as { attempts: number; last_status: string } | null | undefined;
  const lines: [string, string][] = [
    ["event", `${event.event} on ${event.channel}`],
    ["id", String(event.id)],
    ["decided", timeText(Number(event.decided_ms))],
  ];
  if (event.place === "dead") {
    lines.push(["dead since", timeText(Number(event.died_ms))]);
    lines.push(["reason", reasonText(String(event.reason))]);
    lines.push(["last status", String(event.last_status ?? "never tried")]);
  } else {
    lines.push(["waits", failing ? waitText(failing) : "no attempt has failed"]);
  }
  const body = lines.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join("");
  return `${body}payload\n${JSON.stringify(event.payload, undefined, 2)}\n`;
}

function waitText({ attempts, last_status }: { attempts: number; last_status: string }): string {
  return `behind ${countText(attempts, "failed attempt")}, last: ${last_status}`;
}

/** What a reason means, for whoever meets it for the first time. */
function reasonText(reason: string): string {
  switch (reason) {
    case "budget":
      return "budget: the endpoint failed for the whole retry budget";
    case "refused":
      return "refused: the receiver refused this event and took others";
    case "overflow":
      return "overflow: more events waited than webhooks.max_queued_events";
    default:
      return reason;
  }
}
