/** `pipit webhooks status`: every endpoint in a line, and what to do about those that need something. */
import { type EndpointRow, statusAnswer } from "./webhooks-answers.ts";
import type { ApiClient } from "./webhooks-client.ts";
import { ageText, countText, tableText, timeText } from "./webhooks-text.ts";

/** `way`: the options that lead to the app, for the commands that are proposed. */
export async function statusText(client: ApiClient, appId: string, way: string): Promise<string> {
  const { endpoints, now_ms } = statusAnswer(await client.get(""));
  if (endpoints.length === 0) {
    return `App ${appId} has no webhook endpoints and nothing left of earlier ones.\n`;
  }
  const head = ["ENDPOINT", "STATE", "WAITING", "OLDEST", "DEAD", "URL", "DETAIL"];
  const rows = endpoints.map((endpoint) => [
    endpoint.id,
    endpoint.state,
    String(endpoint.backlog),
    endpoint.oldest_age_ms === null ? "-" : ageText(endpoint.oldest_age_ms),
    String(endpoint.dead_letters),
    endpoint.origin ?? "-",
    detailOf(endpoint, now_ms),
  ]);
  const hints = endpoints.flatMap((endpoint) => hintsFor(endpoint, way));
  const table = tableText(head, rows, ["WAITING", "OLDEST", "DEAD"]);
  return hints.length === 0 ? table : `${table}\n${hints.map((hint) => `${hint}\n`).join("")}`;
}

/** Why the endpoint is in its state, as short as may be. */
export function detailOf({ state, pause, failing }: EndpointRow, nowMs: number): string {
  const parts: string[] = [];
  if (pause !== null) {
    const why = pause.reason === "gone" ? "it answered 410" : "by an operator";
    parts.push(`paused since ${timeText(pause.since_ms)} (${why})`);
  }
  if (failing !== null) {
    const { since_ms, attempts, last_status } = failing;
    const tries = countText(attempts, "attempt");
    parts.push(`fails for ${ageText(nowMs - since_ms)}, ${tries}, last: ${last_status}`);
  }
  if (state === "disabled") parts.push("enabled is false");
  if (state === "removed") parts.push("no longer configured");
  return parts.join("; ");
}

function hintsFor({ id, state, backlog, dead_letters }: EndpointRow, way: string): string[] {
  const command = (name: string, more = ""): string => `pipit webhooks ${name} ${id}${more} ${way}`;
  const hints: string[] = [];
  if (dead_letters > 0) {
    hints.push(`${id}: see its ${countText(dead_letters, "dead letter")}: ${command("list")}`);
  }
  if (state === "paused") hints.push(`${id}: send again: ${command("resume")}`);
  if (state === "backing_off") hints.push(`${id}: try it now: ${command("retry")}`);
  if (state === "removed" || (state === "disabled" && backlog > 0)) {
    hints.push(`${id}: what it has can go to another: ${command("move", " --to ENDPOINT")}`);
  }
  return hints;
}
