/** The list of a presence channel's members as Redis has it, and the messages that tell of its changes. */
import { readMessage } from "./redis-message.ts";
import { readScript, textsOf } from "./redis-script.ts";
import type { StateRedis } from "./redis-state-context.ts";

const READ_ROSTER = readScript("read-roster", 2);

export interface Roster {
  /** Of the partition's data. */
  readonly epoch: number;
  /** So long members may be missing who come back: Redis has lost the state, and nodes tell it anew. */
  readonly restoreMs: number;
  /** Grows with each change, also over times in which nobody was there; 0: nobody is. */
  readonly version: number;
  /** User id to user info as JSON, in order of arrival. */
  readonly members: ReadonlyMap<string, string>;
}

/** A user came (`userInfoJson` given) or went. */
export interface RosterChange {
  /** The version that this change was made to; 0: nobody was there. */
  readonly previous: number;
  readonly version: number;
  readonly userId: string;
  readonly userInfoJson: string | undefined;
}

/** List and version of one moment. Rejects with RedisUnavailableError. */
export async function readRoster(
  { commands, keys }: StateRedis,
  appId: string,
  channel: string,
): Promise<Roster> {
  const p = keys.partition(appId, channel);
  const its = [keys.key(p, "meta"), keys.key(p, "pi", appId, channel)];
  const reply = textsOf(READ_ROSTER, await commands.runScript(READ_ROSTER, its, []));
  const [epoch, restoreMs, version, ...rest] = reply;
  const arrivals: { userId: string; version: number; userInfoJson: string }[] = [];
  for (let i = 0; i + 1 < rest.length; i += 2) {
    const entry = rest[i + 1] ?? "";
    const colon = entry.indexOf(":");
    arrivals.push({
      userId: rest[i] ?? "",
      version: Number(entry.slice(0, colon)),
      userInfoJson: entry.slice(colon + 1),
    });
  }
  arrivals.sort((a, b) => a.version - b.version);
  const members = new Map(arrivals.map(({ userId, userInfoJson }) => [userId, userInfoJson]));
  return {
    epoch: Number(epoch),
    restoreMs: Number(restoreMs),
    version: Number(version),
    members,
  };
}

/** The change in a message of kind `member`, or undefined when a newer release says it otherwise. */
export function decodeRosterChange(bytes: Buffer): RosterChange | undefined {
  const { previous, version, user_id, user_info } = readMessage(bytes);
  const isUnderstood =
    typeof previous === "number" && typeof version === "number" && typeof user_id === "string";
  if (!isUnderstood) return undefined;
  const userInfoJson = typeof user_info === "string" ? user_info : undefined;
  return { previous, version, userId: user_id, userInfoJson };
}
