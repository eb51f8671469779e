/** Pipit's way: the channel state of a node writes events into the outbox, and its dispatcher delivers them. */
import { createHash } from "node:crypto";
import { createRedisChannelState } from "../../src/channel-state/redis-channel-state.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import type { Commands } from "../../src/redis/commands.ts";
import { createRedisConnections } from "../../src/redis/connections.ts";
import type { Script } from "../../src/redis/script.ts";
import { createRedisOutbox } from "../../src/webhooks/redis-outbox.ts";
import { createWebhooks } from "../../src/webhooks/webhooks.ts";
import { NOBODY_HEARS } from "../../test/support/announcements.ts";
import { until } from "../../test/support/until.ts";
import { app, appRegistry, endpoint, SETTINGS } from "../../test/webhooks/fixtures.ts";
import {
  APP,
  channelOf,
  KEY,
  type Part,
  SIGNING_KEY,
  type WebhookServer,
  type WebhookSide,
  type WriteCounts,
} from "./webhook-side.ts";
import { createCountingTarget } from "./webhook-target.ts";

/** What lua/write.lua does for webhooks: it puts the event into the outbox, and wakes the dispatcher. */
const APPEND = /^ {2}if not hasEvents and redis\.call.*$|^ {2}redis\.call\("XADD", events.*$/gm;

function countWrites(commands: Commands, counts: WriteCounts): Commands {
  return {
    ...commands,
    async runScript(script, ...rest) {
      if (script.name !== "write") return commands.runScript(script, ...rest);
      counts.sent += 1;
      try {
        return await commands.runScript(script, ...rest);
      } finally {
        counts.answered += 1;
      }
    },
  };
}

/** Writes as they would be if there were no webhooks. */
function withoutEvents(commands: Commands): Commands {
  const changed = new Map<Script["lua"], Script>();
  return {
    ...commands,
    runScript(script, ...rest) {
      if (script.name !== "write") return commands.runScript(script, ...rest);
      let bare = changed.get(script.lua);
      if (bare === undefined) {
        if (script.lua.match(APPEND)?.length !== 2)
          throw new Error("write.lua appends otherwise now.");
        const lua = script.lua.replace(APPEND, "");
        bare = { ...script, lua, sha: createHash("sha1").update(lua).digest("hex") };
        changed.set(script.lua, bare);
      }
      return commands.runScript({ ...bare, numberOfKeys: script.numberOfKeys }, ...rest);
    },
  };
}

export async function openPipitSide(
  server: WebhookServer,
  keyPrefix: string,
  part: Part,
  receiver: string | undefined,
): Promise<WebhookSide> {
  const nodeName = "bench";
  const redis = createRedisConnections({ url: server.url, keyPrefix }, SILENT_LOG, {
    nodeId: nodeName,
  });
  const writes: WriteCounts = { sent: 0, answered: 0 };
  const commands = part === "move" ? redis.commands : withoutEvents(redis.commands);
  const state = createRedisChannelState({
    redis: { ...redis, commands: countWrites(commands, writes) },
    nodeName,
    announce: NOBODY_HEARS,
    now: Date.now,
    random: Math.random,
    log: SILENT_LOG,
  });
  const outbox = createRedisOutbox({
    redis,
    keys: redis.keys,
    owner: nodeName,
    sweep: state.sweep,
    now: Date.now,
    bounds: {
      maxQueuedEvents: 1_000_000,
      maxDeadLetters: 100_000,
      maxDeadLetterAgeMs: 604_800_000,
    },
  });
  const target = createCountingTarget(receiver !== undefined);
  const webhookKey = { key: KEY, signingKey: SIGNING_KEY };
  const webhooks = createWebhooks({
    apps: appRegistry(
      app(APP, {
        webhookKey,
        webhooks: [endpoint("hook", receiver === undefined ? {} : { url: receiver })],
        batchWebhooks: true,
      }),
    ),
    outbox,
    settings: SETTINGS,
    now: Date.now,
    random: Math.random,
    log: SILENT_LOG,
    version: "0.0.0",
    target,
  });
  await redis.connect();
  await state.start();
  if (part === "move") await webhooks.start();
  return {
    name: "Pipit",
    add(number) {
      state.setSubscriptions(APP, channelOf(number), 1, false);
    },
    async added() {
      await until("every channel is written", () => state.health().backlog === 0);
    },
    delivered: () => target.counts.events,
    posts: () => target.counts.posts,
    writes,
    async close() {
      await webhooks.close(0);
      await state.close();
      await redis.close();
    },
  };
}
