/** BullMQ's way: a job for each event, which a worker settles when the receiver has answered. */
import { Queue, Worker } from "bullmq";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { attemptHeaders, batchBody, deliveryId } from "../../src/webhooks/batch.ts";
import type { OutboxEvent } from "../../src/webhooks/outbox.ts";
import { endpoint } from "../../test/webhooks/fixtures.ts";
import {
  APP,
  channelOf,
  KEY,
  type Part,
  SIGNING_KEY,
  type WebhookServer,
  type WebhookSide,
} from "./webhook-side.ts";

/** Jobs under way at a time. */
const CONCURRENCY = 100;
const QUEUE = "webhooks";
const HOOK = endpoint("hook");
const WEBHOOK_KEY = { key: KEY, signingKey: SIGNING_KEY };

interface JobData {
  readonly appId: string;
  readonly channel: string;
  readonly type: string;
  readonly json: string;
}

export async function openBullmqSide(
  server: WebhookServer,
  prefix: string,
  part: Part,
): Promise<WebhookSide> {
  const connection = { host: "127.0.0.1", port: server.port, maxRetriesPerRequest: null };
  const queue = new Queue<JobData>(QUEUE, {
    connection,
    prefix,
    defaultJobOptions: {
      attempts: 6,
      backoff: { type: "exponential", delay: 1_000 },
      removeOnComplete: true,
      removeOnFail: 1_000,
    },
  });
  await queue.waitUntilReady();
  const counts = { posts: 0 };
  let adding: Promise<unknown>[] = [];
  const worker =
    part === "move"
      ? new Worker<JobData>(
          QUEUE,
          async ({ id = "", data, timestamp }) => {
            post(id, data, timestamp);
            counts.posts += 1;
          },
          { connection, prefix, concurrency: CONCURRENCY },
        )
      : undefined;
  await worker?.waitUntilReady();
  return {
    name: "BullMQ",
    add(number) {
      const channel = channelOf(number);
      const event = channelEvent("channel_occupied", channel);
      adding.push(queue.add("event", { appId: APP, channel, ...event }));
    },
    async added() {
      const waiting = adding;
      adding = [];
      await Promise.all(waiting);
    },
    delivered: () => counts.posts,
    posts: () => counts.posts,
    async close() {
      await worker?.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

/** What Pipit makes of a batch too, for the one event: the body, its signature and the headers. */
function post(id: string, { appId, channel, type, json }: JobData, decidedMs: number): void {
  const event: OutboxEvent = {
    id,
    appId,
    channel,
    type,
    json,
    bytes: Buffer.byteLength(json),
    decidedMs,
    retriedFromMs: decidedMs,
  };
  const nowMs = Date.now();
  attemptHeaders({
    endpoint: HOOK,
    key: WEBHOOK_KEY,
    body: batchBody(nowMs, [event]),
    delivery: deliveryId(appId, HOOK.id, [event]),
    attempt: 1,
    events: [event],
    nowMs,
    version: "0.0.0",
  });
}
