/** The receiver of docs/webhooks.md that takes snapshots, and what it answers when it is asked what it believes. */
import { APP } from "../support/pipit.ts";
import { codeBlock, readPage } from "./pages.ts";

/** Each channel with the ids of the users in it, and those who are online as the users of {@link ONLINE}. */
export type Told = Record<string, readonly string[]>;

export const ONLINE = "#online";

interface Believed {
  readonly channels: Told;
  readonly users: readonly string[];
}

/** The receiver of the page, for the app of the tests. `rereadEveryMs`: as on the page when it is left out. */
export function receiverCode(port: number, pipitPort: number, rereadEveryMs = 600_000): string {
  return codeBlock(readPage("docs/webhooks.md"), "js", "reconciling-receiver.mjs")
    .replace("REREAD_EVERY_MS = 600_000", `REREAD_EVERY_MS = ${rereadEveryMs}`)
    .replace("listen(8000", `listen(${port}`)
    .replace('port: "6001"', `port: "${pipitPort}"`)
    .replace('appId: "1"', `appId: "${APP.id}"`)
    .replace("pipit-key", APP.key)
    .replace("pipit-secret", APP.secret);
}

/** What the receiver at `url` believes. */
export async function believedAt(url: string): Promise<Told> {
  const { channels, users } = (await (await fetch(url)).json()) as Believed;
  return sorted({ ...channels, [ONLINE]: users });
}

/** Channels and users in the order of their names. */
export function sorted(all: Told): Told {
  const names = Object.keys(all).sort();
  return Object.fromEntries(names.map((name) => [name, [...(all[name] ?? [])].sort()]));
}
