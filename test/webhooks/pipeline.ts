/** The whole room on the memory outbox, as server.ts puts it together. */
import type { TestContext } from "node:test";
import type { Apps } from "../../src/apps/app.ts";
import { type Log, SILENT_LOG } from "../../src/protocol/log.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { createEventLog, type EventLog } from "../../src/webhooks/event-log.ts";
import type { LaneBounds } from "../../src/webhooks/memory-lanes.ts";
import { createMemoryOutbox } from "../../src/webhooks/memory-outbox.ts";
import type { WebhookSettings } from "../../src/webhooks/settings.ts";
import type { Target } from "../../src/webhooks/target.ts";
import type { After } from "../../src/webhooks/timer.ts";
import { createWebhooks, type Webhooks } from "../../src/webhooks/webhooks.ts";
import type { WholeOutbox } from "../../src/webhooks/whole-outbox.ts";
import { SETTINGS } from "./fixtures.ts";

export interface PipelineOptions {
  readonly apps: Apps;
  readonly settings?: Partial<WebhookSettings>;
  readonly bounds?: Partial<LaneBounds>;
  readonly partitions?: number;
  readonly now?: () => number;
  readonly after?: After;
  readonly random?: () => number;
  readonly target?: Target;
  readonly log?: Log;
  readonly sweep?: (partition: number) => number | undefined;
  /** Puts something between the dispatcher and its outbox. */
  readonly wrap?: (outbox: WholeOutbox) => WholeOutbox;
  readonly onDelivered?: (latencyMs: number, appId: string, endpointId: string) => void;
}

export interface Pipeline {
  readonly events: EventLog;
  readonly outbox: WholeOutbox;
  readonly webhooks: Webhooks;
  /** Appends a channel_occupied. */
  occupy(channel: string, appId?: string): void;
}

export const BOUNDS: LaneBounds = {
  maxQueuedEvents: 100_000,
  maxDeadLetters: 10_000,
  maxDeadLetterAgeMs: 604_800_000,
};

export async function openPipeline(t: TestContext, options: PipelineOptions): Promise<Pipeline> {
  const { apps, partitions = 64, now = Date.now, random = Math.random, log = SILENT_LOG } = options;
  const events = createEventLog({ partitions, now, epoch: now(), log });
  const memory = createMemoryOutbox({
    events,
    sweep: options.sweep ?? (() => undefined),
    now,
    bounds: { ...BOUNDS, ...options.bounds },
  });
  const outbox = options.wrap?.(memory) ?? memory;
  const webhooks = createWebhooks({
    apps,
    outbox,
    settings: { ...SETTINGS, ...options.settings },
    now,
    random,
    log,
    version: "1.2.3",
    ...(options.target && { target: options.target }),
    ...(options.after && { after: options.after }),
    ...(options.onDelivered && { onDelivered: options.onDelivered }),
  });
  t.after(() => webhooks.close(0));
  await webhooks.start();
  return {
    events,
    outbox,
    webhooks,
    occupy: (channel, appId = "app") =>
      events.append(appId, channel, channelEvent("channel_occupied", channel)),
  };
}
