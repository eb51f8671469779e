import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { partitionOf } from "../../src/protocol/partition.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import type { WholeOutbox } from "../../src/webhooks/whole-outbox.ts";
import { answered, held, inTurn } from "./fake-target.ts";
import { channelsApart, endpoint } from "./fixtures.ts";
import { openRig } from "./rig.ts";

describe("sweeping", () => {
  test("happens when the next leave is due, and what it appends is delivered", async (t) => {
    const due: number[] = [];
    const rig = await openRig(t, {
      sweep: () => {
        while (due[0] !== undefined && due[0] <= rig.clock.now()) {
          due.shift();
          rig.events.append("app", "a", channelEvent("channel_vacated", "a"));
        }
        return due[0];
      },
    });
    due.push(rig.clock.now() + 500, rig.clock.now() + 900);
    rig.events.wake(0);
    await rig.clock.advance(499);
    assert.equal(rig.events.counters.appended, 0);
    await rig.clock.advance(1);
    assert.equal(rig.events.counters.appended, 1);
    await rig.clock.advance(400);
    assert.equal(rig.events.counters.appended, 2);
    await rig.clock.advance(60);
    assert.deepEqual(rig.target.log(), ["a", "a"]);
  });

  test("happens every two seconds even if a wake-up was lost", async (t) => {
    let sweeps = 0;
    const rig = await openRig(t, {
      sweep: () => {
        sweeps += 1;
        return undefined;
      },
    });
    await rig.clock.advance(0);
    const before = sweeps;
    await rig.clock.advance(2_000);
    assert.equal(sweeps, before + 1);
  });

  test("comes twice a second while events come, and when a leave is due that was put off meanwhile", async (t) => {
    let nowMs = () => 0;
    const sweptMs: number[] = [];
    let dueMs = 0;
    const { occupy, clock } = await openRig(t, {
      sweep: () => {
        sweptMs.push(nowMs());
        return dueMs > nowMs() ? dueMs : undefined;
      },
    });
    nowMs = clock.now;
    await clock.advance(100);
    const startMs = clock.now();
    sweptMs.length = 0;
    for (let i = 0; i < 100; i++) {
      // The wake-up of a leave is one like all others.
      if (i === 10) dueMs = startMs + 950;
      occupy("a");
      await clock.advance(10);
    }
    assert.deepEqual(
      sweptMs.map((ms) => ms - startMs),
      [400, 900, 950],
    );
  });
});

describe("routing", () => {
  test("moves what comes in a rush together, and what comes alone at once", async (t) => {
    const moved: number[] = [];
    const { occupy, clock } = await openRig(t, {
      partitions: 64,
      wrap: (outbox) => ({
        ...outbox,
        route(partition, heldApp, routes, underWay) {
          moved.push(routes.length);
          return outbox.route(partition, heldApp, routes, underWay);
        },
      }),
    });
    await clock.advance(1_000);
    occupy("alone");
    await clock.advance(0);
    assert.deepEqual(moved, [1]);

    await clock.advance(10);
    moved.length = 0;
    for (const channel of channelsApart(20)) occupy(channel);
    await clock.advance(2);
    assert.equal(moved.length, 20, "the rush begins at once");
    for (let i = 0; i < 9; i++) {
      occupy("alone");
      await clock.advance(4);
    }
    assert.equal(moved.length, 20, "a turn of 20 partitions is followed by 40 ms of rest");
    await clock.advance(2);
    assert.equal(moved.at(-1), 9);
  });

  test("does not let events gather where batching is off", async (t) => {
    const { occupy, clock, target } = await openRig(t, {
      partitions: 64,
      settings: { batching: { enabled: false, windowMs: 50, maxEvents: 50 } },
    });
    await clock.advance(1_000);
    for (const channel of channelsApart(20)) occupy(channel);
    await clock.advance(0);
    occupy("late");
    await clock.advance(0);
    assert.equal(target.log().at(-1), "late");
  });
});

describe("a stop", () => {
  test("delivers what is in the window, and answers that nothing is left", async (t) => {
    const { occupy, webhooks, clock, target } = await openRig(t);
    occupy("a");
    const closed = webhooks.close(5_000);
    await clock.advance(0);
    assert.deepEqual(await closed, []);
    assert.deepEqual(target.log(), ["a"]);
  });

  test("tries once more what waits for a long backoff", async (t) => {
    const { occupyAndWait, webhooks, clock, target } = await openRig(t, { respond: inTurn(500) });
    await occupyAndWait("a");
    await clock.advance(100_000);
    target.respond = inTurn(200);
    const closed = webhooks.close(5_000);
    await clock.advance(0);
    assert.deepEqual(await closed, []);
    assert.equal(target.log().at(-1), "a");
  });

  test("at its deadline gives up POSTs under way, and counts and logs what is left by endpoint", async (t) => {
    const never = held();
    const { occupyAndWait, webhooks, clock, lines } = await openRig(t, {
      endpoints: [endpoint("hanging"), endpoint("healthy")],
      respond: ({ endpointId }) => (endpointId === "hanging" ? never.promise : answered(200)),
    });
    await occupyAndWait("a", "b");
    const closed = webhooks.close(5_000);
    await clock.advance(5_000);
    const left = { appId: "app", endpointId: "hanging", events: 2, deadLetters: 0 };
    assert.deepEqual(await closed, [left]);
    assert.deepEqual(
      lines.filter(({ message }) => message === "webhook events left behind").length,
      1,
    );
  });

  test("neither asks an endpoint that is paused nor waits for it", async (t) => {
    const { occupyAndWait, webhooks, clock, target } = await openRig(t, { respond: inTurn(410) });
    await occupyAndWait("a");
    const closed = webhooks.close(5_000);
    await clock.advance(0);
    assert.equal((await closed)[0]?.events, 1);
    assert.deepEqual(target.log(), ["a"]);
  });

  test("may be asked for twice and before the start", async (t) => {
    const { webhooks, clock } = await openRig(t);
    const [first, second] = [webhooks.close(10), webhooks.close(10)];
    await clock.advance(10);
    assert.equal(await first, await second);
  });
});

describe("bounds", () => {
  test("a full endpoint pushes its oldest event into the dead letters, and those their oldest out, all counted", async (t) => {
    const { occupyAndWait, webhooks, target, clock, errors } = await openRig(t, {
      respond: inTurn(500),
      bounds: { maxQueuedEvents: 3, maxDeadLetters: 2 },
    });
    for (const channel of ["a", "b", "c", "d", "e", "f"]) await occupyAndWait(channel);
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event, reason }) => [event.channel, reason]),
      [
        ["b", "overflow"],
        ["c", "overflow"],
      ],
    );
    const [report] = await webhooks.endpoints();
    assert.equal(report?.backlog, 3);
    assert.equal(report?.counters.dead, 3);
    assert.equal(report?.counters.dropped, 1);
    assert.ok(errors().includes("webhook events dropped"));
    target.respond = inTurn(200);
    await clock.advance(2_000);
    assert.equal(target.log().at(-1), "d e f");
  });

  for (const attempt of [1, 2]) {
    test(`nothing is pushed out while its POST is under way for the ${attempt}. time`, async (t) => {
      const flying = held();
      const { occupyAndWait, webhooks, clock } = await openRig(t, {
        respond: (_sent, number) => (number < attempt ? answered(500) : flying.promise),
        bounds: { maxQueuedEvents: 2 },
      });
      await occupyAndWait("a", "b");
      await clock.advance((attempt - 1) * 1_000);
      await occupyAndWait("c", "d", "e");
      flying.resolve(answered(200));
      await clock.advance(0);
      const [report] = await webhooks.endpoints();
      assert.equal(report?.counters.delivered, 2);
      const letters = await webhooks.deadLetters("app", "one");
      assert.deepEqual(
        letters.map(({ event }) => event.channel),
        ["c", "d", "e"],
      );
    });
  }

  test("events whose batch only waits to be tried again are pushed out", async (t) => {
    const { occupyAndWait, webhooks } = await openRig(t, {
      respond: inTurn(500),
      bounds: { maxQueuedEvents: 2 },
    });
    await occupyAndWait("a", "b");
    await occupyAndWait("c");
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(
      letters.map(({ event }) => event.channel),
      ["a"],
    );
  });

  test("dead letters are dropped when they are too old, counted and logged", async (t) => {
    const { occupyAndWait, webhooks, clock, errors } = await openRig(t, {
      respond: inTurn(500),
      bounds: { maxDeadLetterAgeMs: 600_000 },
    });
    await occupyAndWait("a");
    await clock.advance(400_000);
    assert.equal((await webhooks.deadLetters("app", "one")).length, 1);
    await clock.advance(600_000);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    assert.equal((await webhooks.endpoints())[0]?.counters.dropped, 1);
    assert.ok(errors().includes("webhook events dropped"));
  });
});

describe("counters", () => {
  test("say what was routed, tried and delivered, how old the backlog is, and how long delivery took", async (t) => {
    const latencies: number[] = [];
    const { events, clock, webhooks } = await openRig(t, {
      respond: inTurn(500, 302, 404, 200),
      onDelivered: (latencyMs) => latencies.push(latencyMs),
    });
    events.append("app", "a", channelEvent("channel_occupied", "a"));
    events.append("app", "a", channelEvent("channel_vacated", "a"));
    await clock.advance(50);
    const [waiting] = await webhooks.endpoints();
    assert.equal(waiting?.oldestAgeMs, 50);
    assert.equal(waiting?.state, "backing_off");
    await clock.advance(10_000);
    const [report] = await webhooks.endpoints();
    assert.equal(report?.counters.routed.channel_occupied, 1);
    assert.equal(report?.counters.routed.channel_vacated, 1);
    assert.deepEqual(report?.counters.attempts, {
      "2xx": 1,
      "3xx": 1,
      "4xx": 1,
      "5xx": 1,
      timeout: 0,
      connection: 0,
      refused_target: 0,
    });
    assert.equal(report?.counters.delivered, 2);
    assert.equal(report?.oldestAgeMs, 0);
    assert.deepEqual(latencies, [7_050, 7_050]);
  });
});

describe("an outbox that fails", () => {
  /** Fails the named call while `isDown`. */
  function breaking(call: "settle" | "head" | "read" | "fail"): {
    isDown: boolean;
    wrap: (outbox: WholeOutbox) => WholeOutbox;
  } {
    const fault = {
      isDown: false,
      wrap(outbox: WholeOutbox): WholeOutbox {
        const guard =
          <A extends unknown[], R>(run: (...args: A) => R) =>
          async (...args: A) => {
            if (fault.isDown) throw new Error("away");
            return run(...args);
          };
        return { ...outbox, [call]: guard(outbox[call] as (...args: unknown[]) => unknown) };
      },
    };
    return fault;
  }

  test("at settling does not cause what was delivered to be sent again by a node that stays", async (t) => {
    const fault = breaking("settle");
    const { occupyAndWait, clock, target } = await openRig(t, { wrap: fault.wrap });
    fault.isDown = true;
    await occupyAndWait("a");
    await occupyAndWait("b");
    await clock.advance(10_000);
    assert.deepEqual(target.log(), ["a"]);
    fault.isDown = false;
    await clock.advance(4_000);
    assert.deepEqual(target.log(), ["a", "b"]);
  });

  for (const call of ["head", "read"] as const) {
    test(`at ${call} delays, and loses nothing`, async (t) => {
      const fault = breaking(call);
      const { occupyAndWait, clock, target } = await openRig(t, { wrap: fault.wrap });
      fault.isDown = true;
      await occupyAndWait("a");
      await clock.advance(10_000);
      assert.deepEqual(target.log(), []);
      fault.isDown = false;
      await clock.advance(4_000);
      assert.deepEqual(target.log(), ["a"]);
    });
  }

  test("at noting a failure changes nothing about the retry", async (t) => {
    const fault = breaking("fail");
    const { occupyAndWait, clock, target } = await openRig(t, {
      wrap: fault.wrap,
      respond: inTurn(500, 200),
    });
    fault.isDown = true;
    await occupyAndWait("a");
    await clock.advance(1_000);
    assert.deepEqual(target.log(), ["a", "a"]);
  });
});

describe("a partition that another node takes", () => {
  test("is sent nothing more from, and read anew when it comes back", async (t) => {
    let owner: "mine" | "new" | "lost" = "new";
    const first = held();
    const { occupyAndWait, clock, target, outbox } = await openRig(t, {
      respond: (_sent, number) => (number === 1 ? first.promise : answered(200)),
      wrap: (memory) => ({
        ...memory,
        claim: () => owner,
        settle: (lane, ids) => (owner === "lost" ? "lost" : memory.settle(lane, ids)),
      }),
    });
    owner = "mine";
    await occupyAndWait("a");
    owner = "lost";
    await clock.advance(2_000);
    first.resolve(answered(200));
    await occupyAndWait("b");
    await clock.advance(10_000);
    assert.deepEqual(target.log(), ["a"], "nothing of a partition that is not ours");
    assert.equal((await outbox.lanes(0)).length, 1, "and nothing is settled in it");
    owner = "new";
    await clock.advance(2_000);
    owner = "mine";
    await clock.advance(1_000);
    assert.deepEqual(target.log().slice(1).join(" "), "a b", "a repeat, then what follows");
  });

  test("for a moment is swept as before when the next leave is due", async (t) => {
    let nowMs = () => 0;
    let dueMs = Number.POSITIVE_INFINITY;
    let isLost = false;
    let sweptMs = 0;
    const { occupy, events, clock } = await openRig(t, {
      sweep: () => {
        sweptMs = nowMs();
        return dueMs > nowMs() ? dueMs : undefined;
      },
      wrap: (memory) => ({
        ...memory,
        route: (...call) => (isLost ? "lost" : memory.route(...call)),
      }),
    });
    nowMs = clock.now;
    await clock.advance(600);
    dueMs = clock.now() + 300;
    occupy("a");
    await clock.advance(10);
    isLost = true;
    occupy("b");
    await clock.advance(10);
    isLost = false;
    events.wake(0);
    await clock.advance(300);
    assert.equal(sweptMs, dueMs);
  });

  test("leaves a failed batch that it shared with others: what remains is another batch", async (t) => {
    const [kept = "", taken = ""] = channelsApart(2);
    let isTaken = false;
    const { occupyAndWait, clock, target } = await openRig(t, {
      partitions: 64,
      respond: inTurn(500, 500, 200),
      wrap: (memory) => ({
        ...memory,
        claim: (partition) =>
          isTaken && partition === partitionOf("app", taken, 64) ? "lost" : memory.claim(partition),
      }),
    });
    await occupyAndWait(kept, taken);
    isTaken = true;
    await clock.advance(4_000);
    const [, second, third] = target.sent;
    assert.deepEqual(target.log(), [`${kept} ${taken}`, `${kept} ${taken}`, kept]);
    assert.ok((third?.timeMs ?? 0) > (second?.timeMs ?? 0));
    assert.equal(third?.headers["x-pipit-attempt"], "1");
    assert.notEqual(third?.headers["x-pipit-delivery"], second?.headers["x-pipit-delivery"]);
  });

  test("and gives back unnoticed is read anew: what the other delivered is not sent again", async (t) => {
    let owner: "mine" | "new" = "new";
    const { occupyAndWait, clock, target, outbox } = await openRig(t, {
      respond: inTurn(500, 500, 200),
      wrap: (memory) => ({ ...memory, claim: () => owner }),
    });
    owner = "mine";
    await occupyAndWait("a", "b");
    await clock.advance(1_100);
    await outbox.settle({ partition: 0, appId: "app", endpointId: "one" }, [
      target.sent[0]?.ids[0] ?? "",
    ]);
    owner = "new";
    await clock.advance(1_000);
    owner = "mine";
    await clock.advance(10_000);
    assert.deepEqual(target.log(), ["a b", "a b", "b"]);
  });
});
