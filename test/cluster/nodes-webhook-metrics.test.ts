/** What the metrics of several nodes say together of the webhooks that they share. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PARTITIONS } from "../../src/protocol/partition.ts";
import { metricOf, nodeAt, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const CHANNELS = Array.from({ length: 20 }, (_, n) => `room-${n}`);

test("the sum over nodes is the backlog while an endpoint is down, and every event ends in it once", async (t) => {
  const receiver = await startReceiver(t, APP);
  receiver.answer = (response) => response.writeHead(500).end();
  const webhooks = [{ id: "main", url: receiver.url, event_types: ["channel_occupied" as const] }];
  const retry = { initial_ms: 50, max_ms: 50 };
  const all = await startNodes(t, 2, { app: { webhooks }, config: { webhooks: { retry } } });
  const sum = async (name: string, labels: Readonly<Record<string, string>> = {}) => {
    const values = await Promise.all(all.nodes.map((node) => metricOf(node, name, labels)));
    return values.reduce((total, value) => total + value, 0);
  };
  const client = await nodeAt(all, 0).connect();
  for (const channel of CHANNELS) await client.subscribe(channel);

  await until("all of them wait", async () => (await sum("webhook_queued_events")) === 20);
  await until("each partition has one owner", async () => {
    return (await sum("outbox_partitions_owned")) === DEFAULT_PARTITIONS;
  });
  assert.equal(await metricOf(nodeAt(all, 0), "outbox_partitions"), DEFAULT_PARTITIONS);
  // Who has just taken a partition over has not tried anything yet.
  await until("it is tried in vain", async () => {
    return (await sum("webhook_endpoint_state", { state: "backing_off" })) >= 1;
  });
  await until("what is tried is cached", async () => (await sum("outbox_cached_bytes")) > 0);
  assert.ok((await sum("webhook_oldest_event_age_seconds")) > 0);
  assert.ok((await sum("outbox_partition_claims_total")) >= DEFAULT_PARTITIONS);
  assert.ok((await sum("outbox_wake_ups_total")) > 0);

  receiver.answer = (response) => response.end();
  await until("none waits", async () => (await sum("webhook_queued_events")) === 0, 15_000);
  assert.ok((await sum("webhook_events_delivered_total")) >= 20);
  await until("both nodes find it well", async () => {
    return (await sum("webhook_endpoint_state", { state: "healthy" })) === 2;
  });
  assert.equal(await sum("webhook_endpoint_state", { state: "backing_off" }), 0);
});
