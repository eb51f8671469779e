/** BullMQ's way: a job for each event, which a worker settles when the receiver has answered. */
import { setMaxListeners } from "node:events";
import { Queue, Worker } from "bullmq";
import type { WebhookEndpoint } from "../../src/apps/app.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { attemptHeaders, batchBody, deliveryId } from "../../src/webhooks/batch.ts";
import type { OutboxEvent } from "../../src/webhooks/outbox.ts";
import type { Target } from "../../src/webhooks/target.ts";
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
import { createCountingTarget } from "./webhook-target.ts";

/** Jobs under way at a time. */
const CONCURRENCY = 100;
const QUEUE = "webhooks";
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);
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
  receiver: string | undefined,
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
  const target = createCountingTarget(receiver !== undefined);
  const hook = endpoint("hook", receiver === undefined ? {} : { url: receiver });
  let adding: Promise<unknown>[] = [];
  const worker =
    part === "move"
      ? new Worker<JobData>(
          QUEUE,
          async ({ id = "", data, timestamp }) => {
            await post(target, hook, id, data, timestamp);
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
    delivered: () => target.counts.posts,
    posts: () => target.counts.posts,
    writes: { sent: 0, answered: 0 },
    async close() {
      await worker?.close();
      await target.close();
      await queue.obliterate({ force: true });
      await queue.close();
    },
  };
}

/** What Pipit makes of a batch too, for the one event: the body, its signature, the headers, and the POST. */
async function post(
  target: Target,
  hook: WebhookEndpoint,
  id: string,
  { appId, channel, type, json }: JobData,
  decidedMs: number,
): Promise<void> {
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
  const body = batchBody(nowMs, [event]);
  const headers = attemptHeaders({
    endpoint: hook,
    key: WEBHOOK_KEY,
    body,
    delivery: deliveryId(appId, hook.id, [event]),
    attempt: 1,
    events: [event],
    nowMs,
    version: "0.0.0",
  });
  const attempt = {
    endpoint: hook.id,
    url: hook.url,
    headers,
    body,
    timeoutMs: 4_000,
    concurrency: CONCURRENCY,
    tls: undefined,
  };
  const answer = await target.send(attempt, NEVER);
  if (answer.kind !== "answered" || answer.status !== 200) throw new Error("The receiver failed.");
}
