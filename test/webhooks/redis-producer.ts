/** Appends events to the streams of a partition as the scripts of channel state do. */
import type { WebhookEvent } from "../../src/protocol/webhook-event.ts";
import type { Commands } from "../../src/redis/commands.ts";
import type { Keys } from "../../src/redis/keys.ts";
import { scriptOf } from "./redis-script.ts";

const APPEND = scriptOf(
  "append",
  `local wasEmpty = redis.call("XLEN", KEYS[1]) == 0
   local id = redis.call("XADD", KEYS[1], ARGV[1], "a", ARGV[2], "c", ARGV[3], "t", ARGV[4], "j", ARGV[5])
   if wasEmpty then redis.call(ARGV[6], KEYS[2], "1") end
   return id`,
  2,
);

export interface Producer {
  /** Gives every partition an epoch, as a node does that registers first. */
  register(): Promise<void>;
  /** Answers the event's id. */
  append(appId: string, channel: string, event: WebhookEvent): Promise<string>;
}

/** `now`: the time that the streams are to see; that of Redis when not given. */
export function createProducer(
  commands: Commands,
  keys: Keys,
  publishCommand: string,
  now?: () => number,
): Producer {
  const epochs = new Map<number, string>();
  return {
    async register() {
      const nowMs = String(now?.() ?? Date.now());
      for (let p = 0; p < keys.partitions; p++) {
        await commands.call("HSETNX", keys.key(p, "meta"), "#epoch", nowMs);
        epochs.set(p, String(await commands.call("HGET", keys.key(p, "meta"), "#epoch")));
      }
    },
    async append(appId, channel, { type, json }) {
      const p = keys.partition(appId, channel);
      const place = now ? `${now()}-*` : "*";
      const id = await commands.runScript(
        APPEND,
        [keys.key(p, "ev"), keys.wakeTopic(p)],
        [place, appId, channel, type, json, publishCommand],
      );
      return `${epochs.get(p)}-${p}-${id}`;
    },
  };
}
