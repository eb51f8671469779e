/** `pipit webhooks explain`: why an event does not come, endpoint by endpoint. */
import type { ExplainAnswer, ExplainedRow } from "./webhooks-answers.ts";
import { detailOf } from "./webhooks-status.ts";
import { ageText, countText } from "./webhooks-text.ts";

/** Whether the event can happen and somebody gets it. */
export function isDelivered({ impossible, endpoints }: ExplainAnswer): boolean {
  return impossible.length === 0 && endpoints.some(({ takes }) => takes);
}

export function explainText(answer: ExplainAnswer, appId: string): string {
  const { event, channel, impossible, endpoints } = answer;
  const lines = [`${event} on ${channel}, app ${appId}`, ""];
  for (const reason of impossible) lines.push(`It never happens. ${reason}`);
  if (impossible.length > 0) lines.push("");
  if (endpoints.length === 0) lines.push("The app has no webhook endpoints.");
  for (const endpoint of endpoints) {
    const verb = endpoint.takes ? "takes it" : "does not take it";
    lines.push(`${endpoint.id} (${endpoint.origin ?? "no url"}) ${verb}`);
    lines.push(...reasons(endpoint, answer).map((line) => `  ${line}`));
  }
  return `${lines.join("\n")}\n`;
}

function reasons(endpoint: ExplainedRow, answer: ExplainAnswer): readonly string[] {
  const { event, channel, now_ms } = answer;
  const { takes, refusals, backlog, oldest_age_ms, last_delivery, dead_letters_of_it } = endpoint;
  const lines = [...refusals];
  const detail = detailOf(endpoint, now_ms);
  if (takes) lines.push(detail === "" ? endpoint.state : detail);
  if (backlog > 0) {
    const wait = backlog === 1 ? "waits" : "wait";
    lines.push(
      `${countText(backlog, "event")} ${wait}, the oldest for ${ageText(oldest_age_ms ?? 0)}`,
      waitingText(endpoint, answer),
    );
  }
  if (last_delivery !== null) {
    const { id, delivered_ms, latency_ms } = last_delivery;
    const ago = ageText(now_ms - delivered_ms);
    lines.push(
      `last ${event} on ${channel} delivered ${ago} ago: ${id}, ${latency_ms} ms after it was decided`,
    );
  } else if (takes) {
    lines.push(
      `no ${event} on ${channel} delivered by the node that was asked, as far as it remembers`,
    );
  }
  if (dead_letters_of_it !== null && dead_letters_of_it.found > 0) {
    const { found, latest } = dead_letters_of_it;
    const last = latest === null ? "" : `, the last ${latest.id} (${latest.reason})`;
    lines.push(`${countText(found, "dead letter")} of it${last}`);
  }
  return lines;
}

/** How many of those that wait are meant. */
function waitingText({ waiting_of_it }: ExplainedRow, { event, channel, now_ms }: ExplainAnswer) {
  const { found = 0, is_complete = false, oldest = null } = waiting_of_it ?? {};
  const rest = is_complete ? "" : "; not all that wait were looked at";
  const count = found === 0 ? "no" : found.toLocaleString("en");
  const which =
    oldest === null ? "" : `, the oldest ${oldest.id} for ${ageText(now_ms - oldest.decided_ms)}`;
  return `of them ${count} ${event} on ${channel}${which}${rest}`;
}
