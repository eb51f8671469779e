/** What an endpoint has for itself: how fast, how many at a time, how long. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nextPostMs } from "../../src/webhooks/pace.ts";
import { createFakeClock } from "./fake-clock.ts";
import { answered, createFakeTarget, held } from "./fake-target.ts";
import { app, appRegistry, channelsApart, endpoint } from "./fixtures.ts";
import { openPipeline } from "./pipeline.ts";
import { openRig } from "./rig.ts";

const ONE_EACH = { batching: { enabled: false, windowMs: 0, maxEvents: 1 } };
const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - (times[i] ?? 0));

describe("an endpoint with a rate", () => {
  test("gets its POSTs evenly spread, in order, also from lanes that could go at once", async (t) => {
    const apart = channelsApart(4);
    const { occupy, target, clock } = await openRig(t, {
      endpoints: [endpoint("one", { maxRequestsPerSecond: 4 })],
      settings: ONE_EACH,
      partitions: 64,
    });
    for (const channel of apart) occupy(channel);
    for (const channel of apart) occupy(channel);
    await clock.advance(10_000);
    assert.deepEqual(
      gaps(target.sent.map(({ atMs }) => atMs)),
      [250, 250, 250, 250, 250, 250, 250],
    );
    assert.equal(target.sent.length, 8);
  });

  test("may be sent to at once after a pause, but not twice", async (t) => {
    const { occupy, target, clock } = await openRig(t, {
      endpoints: [endpoint("one", { maxRequestsPerSecond: 1 })],
      settings: ONE_EACH,
    });
    occupy("a");
    await clock.advance(60_000);
    const pauseEndedMs = clock.now();
    occupy("b");
    occupy("c");
    await clock.advance(10_000);
    const [, second = 0, third = 0] = target.sent.map(({ atMs }) => atMs);
    assert.equal(second, pauseEndedMs);
    assert.ok(third - second >= 1_000, String(third - second));
  });

  test("costs another endpoint of the app nothing", async (t) => {
    const { occupy, target, clock } = await openRig(t, {
      endpoints: [endpoint("slow", { maxRequestsPerSecond: 1 }), endpoint("fast")],
      settings: ONE_EACH,
    });
    for (const channel of ["a", "b", "c", "d"]) occupy(channel);
    await clock.advance(100);
    assert.deepEqual(target.log("fast"), ["a", "b", "c", "d"]);
    assert.deepEqual(target.log("slow"), ["a"]);
    await clock.advance(3_000);
    assert.deepEqual(target.log("slow"), ["a", "b", "c", "d"]);
  });

  test("is not sent to faster when attempts fail", async (t) => {
    const { occupy, target, clock } = await openRig(t, {
      endpoints: [endpoint("one", { maxRequestsPerSecond: 2 })],
      settings: { ...ONE_EACH, retry: { initialMs: 10, maxMs: 10, budgetMs: 300_000 } },
      respond: (_sent, number) => answered(number < 4 ? 500 : 200),
    });
    occupy("a");
    await clock.advance(5_000);
    assert.ok(gaps(target.sent.map(({ atMs }) => atMs)).every((gap) => gap >= 500));
    assert.equal(target.sent.length, 4);
  });
});

test("a rate is reached although timers are late, and the lateness is not saved up", () => {
  const pace = { concurrency: 1, everyMs: 10 };
  assert.equal(nextPostMs(pace, 100, 103), 110);
  assert.equal(nextPostMs(pace, 100, 150), 160);
  assert.equal(nextPostMs({ concurrency: 1, everyMs: 0 }, 100, 150), 150);
});

test("an endpoint's own concurrency counts, whatever the other endpoints have", async (t) => {
  const apart = channelsApart(6);
  const answer = held();
  const { occupy, target, clock } = await openRig(t, {
    endpoints: [endpoint("one", { concurrency: 1 }), endpoint("six", { concurrency: 6 })],
    settings: ONE_EACH,
    partitions: 64,
    respond: () => answer.promise,
  });
  for (const channel of apart) occupy(channel);
  await clock.advance(100);
  assert.equal(target.log("one").length, 1);
  assert.equal(target.log("six").length, 6);
  answer.resolve(answered(200));
  await clock.advance(100);
  assert.deepEqual(target.log("one").toSorted(), apart.toSorted());
});

test("an endpoint's own timeout goes with its attempts, and the usual one with the others'", async (t) => {
  const timeouts = new Map<string, number>();
  const clock = createFakeClock();
  const target = createFakeTarget(clock.now);
  const webhooks = [endpoint("own", { timeoutMs: 100 }), endpoint("usual")];
  const { occupy } = await openPipeline(t, {
    apps: appRegistry(app("app", { webhooks })),
    now: clock.now,
    after: clock.after,
    target: {
      ...target,
      send(attempt, signal) {
        timeouts.set(attempt.endpoint, attempt.timeoutMs);
        return target.send(attempt, signal);
      },
    },
  });
  occupy("a");
  await clock.advance(100);
  assert.deepEqual(Object.fromEntries(timeouts), { "app:own": 100, "app:usual": 4_000 });
});
