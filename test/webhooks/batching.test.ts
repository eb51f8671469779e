import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import { answered, held } from "./fake-target.ts";
import { channelsApart, endpoint, SETTINGS } from "./fixtures.ts";
import { openRig } from "./rig.ts";

const unbatched = { batching: { ...SETTINGS.batching, enabled: false } };
const names = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);

describe("batching", () => {
  test("events that come within the window share one POST, in order", async (t) => {
    const { occupy, clock, target } = await openRig(t);
    occupy("a");
    await clock.advance(30);
    occupy("b");
    assert.deepEqual(target.log(), []);
    await clock.advance(20);
    assert.deepEqual(target.log(), ["a b"]);
    assert.equal(target.sent[0]?.isValid, true);
  });

  test("a full batch does not wait for the end of the window", async (t) => {
    const { occupy, clock, target } = await openRig(t);
    for (const name of names(50)) occupy(name);
    await clock.advance(1);
    assert.deepEqual(target.log(), [names(50).join(" ")]);
  });

  test("a batch holds at most the configured number of events", async (t) => {
    const { occupyAndWait, target } = await openRig(t);
    await occupyAndWait(...names(420));
    assert.deepEqual(
      target.sent.map(({ events }) => events.length),
      [50, 50, 50, 50, 50, 50, 50, 50, 20],
    );
    assert.deepEqual(target.log().join(" "), names(420).join(" "));
  });

  test("a batch stays under 256 KB unless one event alone is larger", async (t) => {
    const { events, clock, target } = await openRig(t);
    const json = (channel: string, size: number) =>
      `{"name":"client_event","channel":"${channel}","event":"client-x","data":"${"x".repeat(size)}","socket_id":"1.1"}`;
    const client = (channel: string, size: number) =>
      events.append("app", channel, { type: "client_event", json: json(channel, size) });
    client("a", 100_000);
    client("b", 100_000);
    client("c", 100_000);
    client("d", 300_000);
    client("e", 10);
    await clock.advance(60);
    assert.deepEqual(target.log(), ["a b", "c", "d", "e"]);
  });

  test("so does one that carries several lanes", async (t) => {
    const { events, clock, target } = await openRig(t, { partitions: 64 });
    for (const channel of channelsApart(2)) {
      const json = `{"name":"client_event","channel":"${channel}","data":"${"x".repeat(150_000)}"}`;
      events.append("app", channel, { type: "client_event", json });
    }
    await clock.advance(60);
    assert.deepEqual(target.log().toSorted(), channelsApart(2).toSorted());
  });

  test("one POST carries the heads of several lanes of the endpoint", async (t) => {
    const { occupyAndWait, target, events } = await openRig(t, { partitions: 16 });
    await occupyAndWait("a", "b", "c", "d", "e");
    assert.equal(events.partitions, 16);
    assert.equal(target.sent.length, 1);
    assert.deepEqual(target.sent[0]?.channels.toSorted(), ["a", "b", "c", "d", "e"]);
  });

  test("with batching off for all, or for the app, each event has its own POST, without waiting", async (t) => {
    for (const options of [{ settings: unbatched }, { appChanges: { batchWebhooks: false } }]) {
      const { occupy, clock, target } = await openRig(t, options);
      for (const name of ["a", "b", "c"]) occupy(name);
      await clock.advance(1);
      assert.deepEqual(target.log(), ["a", "b", "c"]);
    }
  });

  test("a batch that failed before batching was switched off is sent one by one", async (t) => {
    const { occupyAndWait, target, clock, reload } = await openRig(t, {
      respond: (_sent, number) => answered(number === 1 ? 500 : 200),
    });
    await occupyAndWait("a", "b");
    reload({ batchWebhooks: false });
    await clock.advance(1_000);
    assert.deepEqual(target.log(), ["a b", "a", "b"]);
  });

  test("a lane has one batch under way: what comes meanwhile goes with the next", async (t) => {
    const first = held();
    const { occupyAndWait, target, clock } = await openRig(t, {
      respond: (_sent, number) => (number === 1 ? first.promise : answered(200)),
    });
    await occupyAndWait("a");
    await occupyAndWait("b", "c");
    await clock.advance(500);
    assert.deepEqual(target.log(), ["a"]);
    first.resolve(answered(200));
    await clock.advance(0);
    assert.deepEqual(target.log(), ["a", "b c"]);
  });

  test("an endpoint gets no more POSTs at a time than its concurrency", async (t) => {
    const { occupy, clock, target } = await openRig(t, {
      partitions: 64,
      settings: { ...unbatched, concurrency: 3 },
      respond: () => new Promise(() => {}),
    });
    for (const name of names(40)) occupy(name);
    await clock.advance(100);
    assert.equal(target.sent.length, 3);
  });

  test("an endpoint gets only the events that it takes, and no POST when it takes none", async (t) => {
    const { events, clock, target } = await openRig(t, {
      endpoints: [
        endpoint("all"),
        endpoint("vacated", { eventTypes: new Set(["channel_vacated"]) }),
        endpoint("beta", {
          filter: { startsWith: "beta-", endsWith: undefined, pattern: undefined },
        }),
        endpoint("missing", { eventTypes: new Set(["cache_miss"]) }),
      ],
    });
    events.append("app", "beta-a", channelEvent("channel_occupied", "beta-a"));
    events.append("app", "b", channelEvent("channel_vacated", "b"));
    await clock.advance(60);
    assert.deepEqual(target.log("all"), ["beta-a b"]);
    assert.deepEqual(target.log("vacated"), ["b"]);
    assert.deepEqual(target.log("beta"), ["beta-a"]);
    assert.deepEqual(target.log("missing"), []);
    for (const { isValid } of target.sent) assert.equal(isValid, true);
  });

  test("two endpoints with one url are two: each gets everything", async (t) => {
    const { occupyAndWait, target } = await openRig(t, {
      endpoints: [endpoint("one"), endpoint("two")],
    });
    await occupyAndWait("a");
    assert.deepEqual(target.log("one"), ["a"]);
    assert.deepEqual(target.log("two"), ["a"]);
  });
});
