/** The master that sentinels watch dies under nodes with clients and webhooks, and its replica takes its place. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sendSigned } from "../support/http-request.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { MASTER_NAME, startSentinel } from "../support/redis-sentinel.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { createAudience, toldOf } from "./nodes-audience.ts";

const HALLS = Array.from({ length: 8 }, (_, n) => `presence-hall-${n}`);
const ROOMS = Array.from({ length: 8 }, (_, n) => `room-${n}`);

/** An election, and the pauses after which nodes try again. Nothing is lost here, so reads need not wait for 25 s. */
const WITHIN_MS = 20_000;

test("when sentinels elect another master, clients stay and everything ends as it is", async (t) => {
  const receiver = await startReceiver(t, APP);
  const closers: (() => unknown)[] = [];
  const later = { after: (close: unknown) => void closers.push(close as () => unknown) };
  const master = await startRedis(later);
  const replica = await startRedis(later, {
    args: ["--replicaof", "127.0.0.1", `${master.port}`],
  });
  const sentinel = await startSentinel(later, master);
  const redis = { sentinels: [`127.0.0.1:${sentinel.port}`], master_name: MASTER_NAME };
  const app = { enable_subscription_count: true, webhooks: [{ url: receiver.url }] };
  const nodes = [await startPipit(t, app, { redis }), await startPipit(t, app, { redis })];
  for (const close of closers) t.after(async () => void (await close()));
  const [a, b] = nodes as [Pipit, Pipit];
  const audience = createAudience();
  const ann = await audience.join(a, "ann", [...HALLS, ...ROOMS]);
  const bob = await audience.join(b, "bob", [...HALLS, ...ROOMS]);
  const cid = await audience.join(b, "cid", [...HALLS, "room-of-cid"]);
  await audience.agrees(nodes);
  const told = (subject: string): string | undefined => toldOf(receiver)[subject];
  const comings = 2 * HALLS.length + ROOMS.length + 1 + 2 * HALLS.length;
  await until("all is told", () => Object.keys(toldOf(receiver)).length === comings);
  await until(
    "the replica has it all",
    async () => Number(await master.call("WAIT", 1, 100)) === 1,
  );

  await master.stop("SIGKILL");
  cid.leave();
  await until("the replica is the master", async () => {
    return (await sentinel.masterPort()) === replica.port;
  });
  await audience.agrees(nodes);
  for (const node of nodes) {
    const name = `from-${nodes.indexOf(node)}`;
    for (const channel of [...HALLS, ...ROOMS]) {
      const body = { name, channel, data: "{}" };
      const published = async () => (await sendSigned(node.port, { path: "/events", body })).status;
      await until("it takes events", async () => (await published()) === 200, WITHIN_MS);
      for (const { client } of [ann, bob]) {
        await until("both nodes hear them", () =>
          client.eventsOn(channel).some(({ event }) => event === name),
        );
      }
    }
  }
  await until("who left meanwhile is told", () => told("room-of-cid") === "occupied vacated");
  for (const hall of HALLS) {
    await until("in each hall", () => told(`${hall} cid`) === "added removed", WITHIN_MS);
  }
  await audience.join(a, "dan", ["presence-later"]);
  await until("webhooks go on", () => told("presence-later dan") === "added", WITHIN_MS);
  await audience.agrees(nodes);
  assert.equal(told("presence-hall-0 ann"), "added");
});
