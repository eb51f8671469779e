/** A node's dispatcher on Redis with everything that is its own, for tests that run several in one process. */
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import type { Apps } from "../../src/apps/app.ts";
import { type Log, SILENT_LOG } from "../../src/protocol/log.ts";
import type { Commands } from "../../src/redis/commands.ts";
import type { RedisConnections } from "../../src/redis/connections.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";
import { LOOK_EVERY_MS } from "../../src/webhooks/context.ts";
import {
  createRedisOutbox,
  type RedisOutbox,
  type RedisOutboxBounds,
} from "../../src/webhooks/redis-outbox.ts";
import type { WebhookSettings } from "../../src/webhooks/settings.ts";
import { type After, after as realAfter } from "../../src/webhooks/timer.ts";
import { createWebhooks, type Webhooks } from "../../src/webhooks/webhooks.ts";
import { openConnections } from "../redis/open-connections.ts";
import { SETTINGS } from "./fixtures.ts";

export interface DispatcherOptions {
  readonly apps: Apps;
  readonly redis: RedisSettings;
  readonly settings?: Partial<WebhookSettings>;
  readonly bounds?: Partial<RedisOutboxBounds>;
  /** Puts something between the outbox and Redis. */
  readonly wrap?: (commands: Commands) => Commands;
  readonly random?: () => number;
  readonly log?: Log;
}

export interface Dispatcher {
  readonly webhooks: Webhooks;
  readonly outbox: RedisOutbox;
  readonly redis: RedisConnections;
  /** How often it has looked at all partitions. */
  looks(): number;
  /** Ends as SIGKILL would: it gives nothing back. */
  crash(): Promise<void>;
}

export const BOUNDS: RedisOutboxBounds = {
  maxQueuedEvents: 1_000_000,
  maxDeadLetters: 100_000,
  maxDeadLetterAgeMs: 604_800_000,
};

/** Looks come ten times as often as in earnest, and leases end as much sooner. */
const LOOK_MS = LOOK_EVERY_MS / 10;
const LEASE_MS = 600;

const hasty: After = (delayMs, run) =>
  realAfter(delayMs === LOOK_EVERY_MS ? LOOK_MS : delayMs, run);

export async function openDispatcher(
  t: Pick<TestContext, "after">,
  { apps, redis, settings, bounds, wrap, random = Math.random, log }: DispatcherOptions,
): Promise<Dispatcher> {
  const connections = await openConnections(t, redis);
  const { bus, keys } = connections;
  let looks = 0;
  const counted: Commands = {
    ...connections.commands,
    runScript(script, ...rest) {
      if (script.name === "enlist") looks += 1;
      return connections.commands.runScript(script, ...rest);
    },
  };
  const commands = wrap?.(counted) ?? counted;
  const outbox = createRedisOutbox({
    redis: { commands, bus },
    keys,
    owner: randomBytes(6).toString("hex"),
    sweep: async () => undefined,
    now: Date.now,
    bounds: { ...BOUNDS, ...bounds },
    leaseMs: LEASE_MS,
  });
  const webhooks = createWebhooks({
    apps,
    outbox,
    settings: { ...SETTINGS, ...settings },
    now: Date.now,
    random,
    log: log ?? SILENT_LOG,
    version: "1.2.3",
    after: hasty,
  });
  t.after(() => webhooks.close(0));
  await webhooks.start();
  return {
    webhooks,
    outbox,
    redis: connections,
    looks: () => looks,
    async crash() {
      await connections.close();
      await webhooks.close(0);
    },
  };
}
