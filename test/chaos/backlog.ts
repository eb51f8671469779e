/** Fills the streams of decided events far faster than clients could, as the scripts of channel state do. */
import { once } from "node:events";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";
import { clientEvent } from "../../src/protocol/webhook-event.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { APP } from "../support/pipit.ts";
import type { Recorder } from "./recorder.ts";

const CHANNELS = 640;
const AT_ONCE = 1_000;

/** Decides `count` client events, in order, over all partitions. The nodes have registered before. */
export async function fillBacklog(
  t: TestContext,
  url: string,
  recorder: Recorder,
  count: number,
): Promise<void> {
  const redis = new Redis(url);
  t.after(() => redis.disconnect());
  await once(redis, "ready");
  const keys = createKeys();
  for (let from = 0; from < count; from += AT_ONCE) {
    const pipeline = redis.pipeline();
    const expected = [];
    for (let n = from; n < Math.min(from + AT_ONCE, count); n++) {
      const channel = `private-queue-${n % CHANNELS}`;
      const partition = keys.partition(APP.id, channel);
      const { type, json } = clientEvent(channel, '"client-tick"', `"${n}"`, "1.1", undefined);
      const fields = ["a", APP.id, "c", channel, "t", type, "j", json];
      expected.push(recorder.mayCome(type, channel, `${n}`));
      pipeline.xadd(keys.key(partition, "ev"), "*", ...fields);
    }
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
    for (const event of expected) recorder.owe(event);
  }
  // The look that comes every 2 s finds the rest; this is what the scripts do for the first event of a stream.
  for (let p = 0; p < keys.partitions; p++) await redis.publish(keys.wakeTopic(p), "1");
}
