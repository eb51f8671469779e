/** Which dispatcher has which partition, while they come, go and die. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../support/until.ts";
import { channelsApart } from "../webhooks/fixtures.ts";
import { openDeployment } from "../webhooks/redis-deployment.ts";
import type { Dispatcher } from "../webhooks/redis-dispatcher.ts";

/** A rendezvous of 64 partitions: four standard deviations from an even share. */
function isFairShare(owned: number, dispatchers: number): boolean {
  const share = 64 / dispatchers;
  return Math.abs(owned - share) <= 4 * Math.sqrt(share * (1 - 1 / dispatchers));
}

function sharesAreFair(dispatchers: readonly Dispatcher[]): boolean {
  const owned = dispatchers.map(({ outbox }) => outbox.owned);
  const sum = owned.reduce((total, each) => total + each, 0);
  return sum === 64 && owned.every((each) => isFairShare(each, dispatchers.length));
}

test("the partitions are shared evenly when dispatchers come, stop and crash", async (t) => {
  const { open, first } = await openDeployment(t);
  assert.equal(first.outbox.owned, 64, "the only one has all at once");
  const second = await open();
  await until("two share", () => sharesAreFair([first, second]), 3_000);
  const third = await open();
  await until("three share", () => sharesAreFair([first, second, third]), 3_000);
  await first.webhooks.close(1_000);
  await until("two are left", () => sharesAreFair([second, third]), 3_000);
  await second.crash();
  await until("one is left", () => sharesAreFair([third]), 3_000);
});

test("an owner that is not wanted any more finishes its POSTs before it gives the partition back", async (t) => {
  const batching = { enabled: true, windowMs: 500, maxEvents: 50 };
  const { receiver, open, first, occupy } = await openDeployment(t, { batching });
  let answer = () => {};
  receiver.respond = (_delivery, response) => {
    const before = answer;
    answer = () => {
      before();
      response.writeHead(200).end();
    };
  };
  const channels = channelsApart(64);
  await Promise.all(channels.map(occupy));
  await until("every event is in a POST", () => {
    const posted = receiver.deliveries.flatMap(({ events }) => events);
    return posted.length === channels.length;
  });
  const second = await open();
  const looks = first.looks() + 2;
  await until("both have looked again", () => first.looks() >= looks && second.looks() >= 3);
  assert.equal(second.outbox.owned, 0, "all partitions are in a POST that is under way");
  receiver.respond = (_delivery, response) => void response.writeHead(200).end();
  answer();
  await until("two share", () => sharesAreFair([first, second]));
  await occupy("marker");
  await until("all is there", () => receiver.channels().includes("marker"));
  assert.deepEqual(receiver.channels().toSorted(), [...channels, "marker"].toSorted());
});

test("one that stops hands over what waits, and nothing is delivered twice", async (t) => {
  const { server, receiver, open, first, occupy } = await openDeployment(t);
  receiver.respond = (_delivery, response) => void response.writeHead(503).end();
  const channels = channelsApart(20);
  for (const channel of channels) await occupy(channel);
  await until("a POST failed", () => receiver.deliveries.length > 0);
  const left = await first.webhooks.close(5_000);
  assert.deepEqual(left, [], "what waits is not lost with the process");
  const kept = (await server.call("KEYS", "*disp*")) as string[];
  assert.deepEqual(kept, [], "neither a lease nor its place on the list");
  receiver.respond = (_delivery, response) => void response.writeHead(200).end();
  await open();
  await until("all is there", () => receiver.channels().length >= channels.length);
  assert.deepEqual(receiver.channels().toSorted(), channels.toSorted());
});

test("an event reaches the new owner of its partition with the wake-up that came for it", async (t) => {
  const { receiver, open, first, occupy } = await openDeployment(t);
  const second = await open();
  await until("two share", () => sharesAreFair([first, second]));
  const wakeUps = () => first.outbox.counters.wakeUps + second.outbox.counters.wakeUps;
  const before = wakeUps();
  const channels = channelsApart(64);
  for (const channel of channels) await occupy(channel);
  await until("all is there", () => receiver.channels().length === 64);
  assert.ok(wakeUps() - before >= 64);
  assert.ok(wakeUps() - before <= 130, "each is heard by the owner alone");
});
