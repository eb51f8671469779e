/** Slots of a Redis Cluster move to other masters while users come and go on several nodes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashSlot } from "../../src/redis/hash-slot.ts";
import { createKeys } from "../../src/redis/keys.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { sendSigned } from "../support/http-request.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { startRedisCluster } from "../support/redis-cluster.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { createAudience, type Guest, toldOf } from "./nodes-audience.ts";

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const HALLS = Array.from({ length: 6 }, (_, n) => `presence-hall-${n}`);
const ROOMS = Array.from({ length: 3 }, (_, n) => `room-${n}`);
const MOST_GUESTS = 12;

test(`while slots move, who comes and goes is known everywhere, and told once (SEED=${SEED})`, async (t) => {
  const receiver = await startReceiver(t, APP);
  const closers: (() => unknown)[] = [];
  const redisCluster = await startRedisCluster({
    after: (close: unknown) => void closers.push(close as () => unknown),
  });
  const redis = { cluster: redisCluster.nodes.map(({ host, port }) => `${host}:${port}`) };
  const app = { enable_subscription_count: true, webhooks: [{ url: receiver.url }] };
  const start = () => startPipit(t, app, { redis });
  const nodes = await Promise.all([start(), start(), start()]);
  for (const close of closers) t.after(async () => void (await close()));
  const random = createSeededRandom(SEED);
  const one = <T>(from: readonly T[]): T => {
    const found = from[Math.floor(random() * from.length)];
    if (found === undefined) throw new RangeError("There is none.");
    return found;
  };
  const audience = createAudience();
  const guests: Guest[] = [];
  const some = (names: readonly string[]) => names.filter(() => random() < 0.6);
  let came = 0;

  async function comeAndGo(): Promise<void> {
    if (guests.length >= MOST_GUESTS) {
      const [leaving] = guests.splice(Math.floor(random() * guests.length), 1);
      leaving?.leave();
    }
    came += 1;
    const channels = [...some(HALLS), ...some(ROOMS)];
    guests.push(await audience.join(one(nodes), `user-${came % 8}`, channels));
    const body = { name: "tick", channels: [...HALLS, ...ROOMS], data: "{}" };
    const { status } = await sendSigned(one(nodes).port, { path: "/events", body });
    assert.ok(status === 200 || status === 503, `published: ${status}`);
  }

  for (let n = 0; n < 6; n++) await comeAndGo();
  let isMoving = true;
  const { topic } = createKeys();
  const moving = (async () => {
    for (const name of [...HALLS, ...ROOMS, ...HALLS, ...ROOMS]) {
      await redisCluster.moveSlot(hashSlot(topic(APP.id, name)));
    }
  })().finally(() => {
    isMoving = false;
  });
  const before = came;
  while (isMoving) await comeAndGo();
  await moving;
  for (let n = 0; n < 3; n++) await comeAndGo();
  t.diagnostic(`${came - before} guests came while slots moved`);
  await audience.agrees(nodes);

  for (const [n, node] of nodes.entries()) {
    for (const channel of [...HALLS, ...ROOMS]) {
      const body = { name: `from-${n}`, channel, data: "{}" };
      await until(
        "every slot takes events",
        async () => (await sendSigned(node.port, { path: "/events", body })).status === 200,
      );
      for (const { client } of guests.filter((guest) => guest.channels.includes(channel))) {
        await until("every node hears them", () =>
          client.eventsOn(channel).some(({ event }) => event === `from-${n}`),
        );
      }
    }
  }
  audience.everybodyLeaves();
  const isGone = (told: string) => /(vacated|removed)$/.test(told);
  await until(
    "everybody's leave is told",
    () => Object.values(toldOf(receiver)).every(isGone),
    20_000,
  );
  // toldOf has failed if anything was told twice.
  assert.ok(HALLS.every((hall) => hall in toldOf(receiver)));
  await audience.agrees(nodes);
});
