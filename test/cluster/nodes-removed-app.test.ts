/** What is left of an app that is no longer configured is in reach of an operator once the app is back, disabled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigInput } from "../../src/config/config.ts";
import { type CommandLine, commandLine } from "../support/command-line.ts";
import { subscribe } from "../support/commands.ts";
import { metricOf } from "../support/nodes.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const CHANNELS = ["a", "b", "c", "d", "e", "f", "g", "h"];
const OTHER = { id: "other", key: "other-key", secret: "other-secret" };

interface Stage {
  /** Stops the node that runs, and starts one that has this app. */
  restart(app: Parameters<typeof startPipit>[1]): Promise<Pipit>;
  readonly receiver: WebhookReceiver;
  readonly webhooks: NonNullable<NonNullable<Parameters<typeof startPipit>[1]>["webhooks"]>;
  readonly redis: RedisServer;
}

/** The app is gone: of eight channels `channel_occupied` waits for its endpoint, and `channel_vacated` for the app. */
async function setStage(t: Parameters<typeof startPipit>[0]): Promise<Stage> {
  const closers: (() => unknown)[] = [];
  const redis = await startRedis({ after: (close) => void closers.push(close as () => unknown) });
  let running: Pipit | undefined;
  t.after(async () => {
    await running?.server.close();
    for (const close of closers) await close();
  });
  const receiver = await startReceiver(t, APP);
  receiver.answer = (response) => response.writeHead(500).end();
  const retry = { initial_ms: 20, max_ms: 50 };
  const config: ConfigInput = { redis: { url: redis.url }, webhooks: { retry } };

  async function restart(app: Parameters<typeof startPipit>[1]): Promise<Pipit> {
    await running?.server.close();
    running = await startPipit(t, app, config);
    return running;
  }

  const webhooks = [
    {
      id: "orders",
      url: receiver.url,
      event_types: ["channel_occupied" as const, "channel_vacated" as const],
    },
  ];
  const first = await restart({ webhooks });
  const socket = await first.raw();
  for (const channel of CHANNELS) await subscribe(socket, channel);
  await until("all wait", async () => (await metricOf(first, "webhook_queued_events")) === 8);
  const node = await restart(OTHER);
  await until("they have left, and nobody knows their app", async () => {
    return (await metricOf(node, "webhook_held_events")) === 8;
  });
  await until("what waits is seen", async () => {
    return (await metricOf(node, "webhook_queued_events", { app_id: APP.id })) === 8;
  });
  const state = (name: string) =>
    metricOf(node, "webhook_endpoint_state", { app_id: APP.id, state: name });
  assert.deepEqual([await state("removed"), await state("healthy")], [1, 0]);
  const { code, err } = await commands(t, node).run("webhooks", "status");
  assert.equal(code, 1, err);
  assert.match(err, /There is no app "42"\. What its webhooks have left .* enabled: false/);
  return { restart, receiver, webhooks, redis };
}

/** Where they run the app is configured still. */
function commands(t: Parameters<typeof startPipit>[0], node: Pipit): CommandLine {
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const at = (args: readonly string[]) => [...args, "--url", node.url("")];
  return {
    ...cli,
    run: (...args) => cli.run(...at(args)),
    json: (...args) => cli.json(...at(args)),
  };
}

test("what a removed app has left can be dropped once the app is back, disabled and without webhooks", async (t) => {
  const { restart, receiver } = await setStage(t);
  const before = receiver.deliveries.length;
  const node = await restart({ enabled: false });
  const cli = commands(t, node);
  await until("what nobody wants any more is let go", async () => {
    return (await metricOf(node, "webhook_held_events")) === 0;
  });
  const { endpoints } = await cli.json("webhooks", "status");
  const [orders, ...others] = endpoints as { id: string; state: string; backlog: number }[];
  assert.deepEqual([orders?.id, orders?.state, orders?.backlog], ["orders", "removed", 8]);
  assert.deepEqual(others, []);
  const dropped = await cli.json("webhooks", "drop", "orders", "--backlog", "--yes");
  assert.equal(dropped.changed, 8);
  assert.deepEqual((await cli.json("webhooks", "status")).endpoints, []);
  await until("no metric has it", async () => {
    return (await metricOf(node, "webhook_queued_events", { app_id: APP.id })) === 0;
  });
  assert.equal(receiver.deliveries.length, before);
});

test("it is delivered, in order, when the app is back disabled and with its webhooks", async (t) => {
  const { restart, receiver, webhooks } = await setStage(t);
  receiver.answer = (response) => response.end();
  receiver.deliveries.length = 0;
  const node = await restart({ enabled: false, webhooks });
  await until("all have come", () => firstArrivals(receiver).length === 16);
  for (const name of CHANNELS) {
    const its = firstArrivals(receiver).filter(({ channel }) => channel === name);
    assert.deepEqual(
      its.map((event) => event.name),
      ["channel_occupied", "channel_vacated"],
    );
  }
  await until("nothing waits", async () => (await metricOf(node, "webhook_queued_events")) === 0);
});
