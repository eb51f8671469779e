/** Runs the commands of a page's transcripts again, so that what the page shows can be compared or renewed. */
import type { Stage } from "./webhook-stage.ts";

/** What `body.json` has. */
const BODY = '{"time_ms":1780000000000,"events":[{"name":"channel_occupied","channel":"room-1"}]}';

const BLOCK = /(?<=^```console\n).*?(?=^```$)/gms;
const EVENT_ID = /\b\d{1,20}-\d{1,6}-\d{10,20}-\d+\b/g;

/** Words of a command line; quotes keep spaces together. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    (found) => found[1] ?? found[2] ?? found[3] ?? "",
  );
}

/** The page as it would be if it were written now. */
export async function renewed(page: string, stage: Stage): Promise<string> {
  /** Ids as they stand in the page, and what they are in this run. */
  const ids = new Map<string, string>();
  const blocks: string[] = [];
  for (const [block] of page.matchAll(BLOCK)) blocks.push(await renewBlock(block, stage, ids));
  return page.replace(BLOCK, () => blocks.shift() ?? "");
}

async function renewBlock(block: string, stage: Stage, ids: Map<string, string>): Promise<string> {
  let text = "";
  for (const part of block.split(/^(?=\$ )/m)) {
    const [line = "", ...shown] = part.split("\n");
    const command = line.replace(EVENT_ID, (id) => ids.get(id) ?? id);
    const output = await runLine(command.replace(/^\$ /, ""), stage);
    const before = shown.join("\n").match(EVENT_ID) ?? [];
    for (const [at, id] of (output.match(EVENT_ID) ?? []).entries()) {
      const old = before[at];
      if (old !== undefined) ids.set(old, id);
    }
    text += `${command}\n${output}`;
  }
  return text;
}

async function runLine(line: string, stage: Stage): Promise<string> {
  const [command = "", body] = line.split(" < ");
  const [, ...args] = words(command);
  // What is sent again shall arrive.
  if (args[1] === "replay") stage.mend();
  if (args[1] !== "listen") return stage.run(args, body === undefined ? "" : BODY);
  return stage.runWhile([...args, "--port", "0"], async (url) => {
    await stage.run([
      "webhooks",
      "send",
      "--event",
      "channel_occupied",
      "--channel",
      "room-1",
      "--url",
      url,
    ]);
    await fetch(url, { method: "POST", body: '{"time_ms":1780000000000,"events":[]}' });
  });
}

/** What differs from run to run, made the same. */
export function normalized(page: string): string {
  return page
    .replaceAll(EVENT_ID, "ID")
    .replace(/\b[0-9a-f]{32}\b/g, "DELIVERY")
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "TIME")
    .replace(/\d\d:\d\d:\d\d\.\d{3}/g, "CLOCK")
    .replace(/\b\d+[dhms]( \d+[hms])?(?=[ ,;.:]|$)/gm, "AGE")
    .replace(/\b\d+ (ms|attempts?)\b/g, "N $1")
    .replace(/127\.0\.0\.1:\d+/g, "127.0.0.1:PORT")
    .replace(/"\w+_ms": \d+/g, '"MS": N')
    .replace(/ {2,}/g, "  ");
}
