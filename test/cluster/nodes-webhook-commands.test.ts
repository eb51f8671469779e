/** The webhooks commands ask any node of a deployment, and mean all of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandLine } from "../support/command-line.ts";
import { subscribe } from "../support/commands.ts";
import { nodeAt, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver } from "../support/webhook-receiver.ts";

const CHANNELS = ["a", "b", "c", "d", "e", "f", "g", "h"];

test("what is done through one node holds on the others, which show the same", async (t) => {
  const receiver = await startReceiver(t, APP);
  receiver.answer = (response) => response.writeHead(500).end();
  const webhooks = [
    { id: "orders", url: receiver.url, event_types: ["channel_occupied" as const] },
  ];
  const retry = { initial_ms: 20, max_ms: 50, budget_s: 1 };
  const nodes = await startNodes(t, 2, { app: { webhooks }, config: { webhooks: { retry } } });
  const [one, two] = [nodeAt(nodes, 0), nodeAt(nodes, 1)];
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const at = (node: typeof one, ...args: string[]) =>
    cli.json("webhooks", ...args, "--url", node.url(""));
  const statusAt = async (node: typeof one) => {
    const { endpoints } = await at(node, "status");
    return (endpoints as Record<string, unknown>[])[0] ?? {};
  };

  // Eight channels are of several partitions, and those of both nodes.
  const socket = await one.raw();
  for (const channel of CHANNELS) await subscribe(socket, channel);
  await until(
    "all are dead letters",
    async () => (await statusAt(two)).dead_letters === CHANNELS.length,
    15_000,
  );
  assert.equal((await statusAt(one)).dead_letters, CHANNELS.length);

  await at(two, "pause", "orders");
  assert.equal((await statusAt(one)).state, "paused");
  receiver.answer = (response) => response.end();
  const replayed = await at(one, "replay", "orders", "--all");
  assert.equal(replayed.changed, CHANNELS.length);
  assert.equal((await statusAt(two)).backlog, CHANNELS.length);

  receiver.deliveries.length = 0;
  await at(one, "resume", "orders");
  await until("all have come", () => firstArrivals(receiver).length === CHANNELS.length);
  await until("nothing waits", async () => (await statusAt(two)).backlog === 0);
});

test("while Redis is away a command says so and ends with 2", async (t) => {
  const nodes = await startNodes(t, 1, {
    app: { webhooks: [{ id: "a", url: "http://127.0.0.1:1/" }] },
  });
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const url = nodeAt(nodes, 0).url("");
  assert.equal((await cli.run("webhooks", "status", "--url", url)).code, 0);
  await nodes.redis.stop("SIGKILL");
  const answer = await cli.run("webhooks", "status", "--url", url);
  assert.deepEqual([answer.code, answer.out], [2, ""]);
  assert.match(
    answer.err,
    /cannot answer now: A service of the cluster is away \(PIPIT_\w+_UNAVAILABLE\)/,
  );
  await nodes.redis.restart();
});
