import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { OutboxEvent } from "../../src/webhooks/outbox.ts";
import { answered, held, inTurn } from "./fake-target.ts";
import { channelsApart, endpoint, SETTINGS } from "./fixtures.ts";
import { openRig } from "./rig.ts";

const CHANNELS = ["a", "b", "c", "d", "e", "f"];
/** Six in six of 64 partitions. */
const APART = channelsApart(6);
const ids = (letters: readonly { event: OutboxEvent }[]) =>
  letters.map(({ event }) => event.channel);

describe("a failed delivery", () => {
  test("is sent again with the same bytes, delivery and ids, and what came later waits behind it", async (t) => {
    const { occupyAndWait, target, clock } = await openRig(t, { respond: inTurn(500, 503, 200) });
    await occupyAndWait("a", "b");
    await occupyAndWait("a", "c");
    await clock.advance(1_000);
    await clock.advance(2_000);
    assert.deepEqual(target.log(), ["a b", "a b", "a b", "a c"]);
    const [first, second, third] = target.sent;
    assert.equal(second?.body, first?.body);
    assert.equal(third?.body, first?.body);
    assert.equal(third?.headers["x-pipit-delivery"], first?.headers["x-pipit-delivery"]);
    assert.deepEqual(third?.ids, first?.ids);
    assert.deepEqual(
      target.sent.map(({ headers }) => headers["x-pipit-attempt"]),
      ["1", "2", "3", "1"],
    );
  });

  test("waits up to twice as long after each failure, and never longer than the cap", async (t) => {
    const { occupyAndWait, target, clock } = await openRig(t, { respond: inTurn(500) });
    await occupyAndWait("a");
    await clock.advance(250_000);
    const times = target.sent.map(({ atMs }) => atMs);
    const waits = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test("waits a random part of the bound", async (t) => {
    const { occupyAndWait, target, clock } = await openRig(t, {
      respond: inTurn(500, 200),
      random: () => 0.25,
    });
    await occupyAndWait("a");
    await clock.advance(248);
    assert.equal(target.sent.length, 1);
    await clock.advance(2);
    assert.equal(target.sent.length, 2);
  });

  test("is not repeated before Retry-After, up to the cap", async (t) => {
    for (const [asked, waitMs] of [
      ["7", 7_000],
      ["86400", 60_000],
    ] as const) {
      const { occupyAndWait, target, clock } = await openRig(t, {
        respond: (_sent, number) => (number === 1 ? answered(429, asked) : answered(200)),
      });
      await occupyAndWait("a");
      const sentMs = target.sent[0]?.atMs ?? 0;
      await clock.advance(120_000);
      assert.equal((target.sent[1]?.atMs ?? 0) - sentMs, waitMs);
    }
  });

  test("gets fresh bytes once its time is four minutes old, under the same ids", async (t) => {
    const { occupyAndWait, target, clock } = await openRig(t, {
      respond: inTurn(500),
      settings: { retry: { ...SETTINGS.retry, budgetMs: 3_600_000 } },
    });
    await occupyAndWait("a");
    await clock.advance(360_000);
    const first = target.sent[0];
    const createdMs = first?.timeMs ?? 0;
    for (const { atMs, timeMs, body, isValid, headers, ids: sentIds } of target.sent) {
      assert.equal(isValid, true);
      assert.equal(headers["x-pipit-delivery"], first?.headers["x-pipit-delivery"]);
      assert.deepEqual(sentIds, first?.ids);
      assert.ok(atMs - timeMs < 240_000, "the time is younger than four minutes");
      if (atMs - createdMs < 240_000) assert.equal(body, first?.body);
    }
    assert.ok(target.sent.some(({ timeMs }) => timeMs > createdMs));
  });

  test("stops all other POSTs to the endpoint: one at a time probes, going round the lanes", async (t) => {
    let isDown = true;
    const { occupy, target, clock } = await openRig(t, {
      partitions: 64,
      settings: { batching: { ...SETTINGS.batching, enabled: false } },
      respond: () => answered(isDown ? 500 : 200),
    });
    for (const channel of APART) occupy(channel);
    await clock.advance(10);
    const together = target.sent.length;
    assert.ok(together <= SETTINGS.concurrency);
    await clock.advance(130_000);
    const [failed0, probe0] = [target.sent[0], target.sent[together]];
    assert.equal(
      (probe0?.atMs ?? 0) - (failed0?.atMs ?? 0),
      1_000,
      "POSTs under way together are one failure",
    );
    const probes = target.log().slice(together);
    assert.deepEqual(
      new Set(probes.slice(0, 6)),
      new Set(APART),
      "no lane is probed twice before all were",
    );
    for (let i = together + 1; i < target.sent.length; i++) {
      assert.ok((target.sent[i]?.atMs ?? 0) > (target.sent[i - 1]?.atMs ?? 0));
    }
    isDown = false;
    const failed = target.sent.length;
    await clock.advance(60_000);
    assert.deepEqual(target.log().slice(failed).toSorted(), APART.toSorted());
    await clock.advance(600_000);
    assert.equal(target.sent.length, failed + 6, "each was taken once");
  });

  test("of a POST that was under way with another one does not lengthen the backoff", async (t) => {
    const slow = held();
    const { occupy, target, clock } = await openRig(t, {
      partitions: 64,
      settings: { batching: { ...SETTINGS.batching, enabled: false } },
      respond: (_sent, number) => (number === 1 ? slow.promise : answered(500)),
    });
    for (const channel of channelsApart(2)) occupy(channel);
    await clock.advance(900);
    assert.equal(target.sent.length, 2);
    slow.resolve(answered(500));
    await clock.advance(100);
    assert.equal(target.sent.length, 3);
  });

  test("of one batch while others succeed is repeated with growing waits of its own", async (t) => {
    const { occupy, target, clock } = await openRig(t, {
      partitions: 64,
      settings: { batching: { ...SETTINGS.batching, enabled: false } },
      respond: ({ channels }) => answered(channels.includes("a") ? 500 : 200),
    });
    for (let i = 0; i < 100; i++) {
      if (i === 0) occupy("a");
      occupy(`other-${i}`);
      await clock.advance(1_000);
    }
    const attempts = target.log().filter((channel) => channel === "a").length;
    assert.ok(attempts > 3 && attempts < 12, `${attempts} attempts in 100 s`);
  });

  test("does not delay another endpoint, nor does one that hangs", async (t) => {
    const never = held();
    const { occupyAndWait, target } = await openRig(t, {
      endpoints: [endpoint("dead"), endpoint("hanging"), endpoint("healthy")],
      respond: ({ endpointId }) => {
        if (endpointId === "hanging") return never.promise;
        return answered(endpointId === "dead" ? 500 : 200);
      },
    });
    for (const channel of CHANNELS) await occupyAndWait(channel);
    assert.deepEqual(target.log("healthy"), CHANNELS);
    assert.deepEqual(target.log("dead"), ["a"]);
    assert.deepEqual(target.log("hanging"), ["a"]);
  });

  test("is logged once per attempt without payload, path, query or credentials", async (t) => {
    const { occupyAndWait, lines, clock } = await openRig(t, {
      endpoints: [endpoint("one", { url: "http://user:pass@receiver.test/s3cret?token=t0ken" })],
      respond: inTurn(500, 200),
    });
    await occupyAndWait("room-with-a-view");
    await clock.advance(1_000);
    const failures = lines.filter(({ message }) => message === "webhook attempt failed");
    assert.equal(failures.length, 1);
    const { delivery, ...fields } = failures[0]?.fields ?? {};
    assert.match(String(delivery), /^[0-9a-f]{32}$/);
    assert.deepEqual(fields, {
      app_id: "app",
      endpoint: "one",
      origin: "http://receiver.test",
      attempt: 1,
      events: 1,
      outcome: "5xx",
      status: 500,
      retry_in_ms: 1_000,
    });
    assert.doesNotMatch(JSON.stringify(lines), /room-with-a-view|t0ken|s3cret|pass@|signature/);
  });
});

describe("the retry budget", () => {
  test("makes dead letters of what failed for five minutes; what is younger lives on", async (t) => {
    const { occupyAndWait, clock, webhooks, target, errors } = await openRig(t, {
      respond: inTurn(500),
    });
    await occupyAndWait("old");
    await clock.advance(200_000);
    await occupyAndWait("young");
    await clock.advance(90_000);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    await clock.advance(70_000);
    const letters = await webhooks.deadLetters("app", "one");
    assert.deepEqual(ids(letters), ["old"]);
    assert.equal(letters[0]?.reason, "budget");
    assert.equal(letters[0]?.status, "500");
    assert.deepEqual(errors(), ["webhook events became dead letters"]);
    const [report] = await webhooks.endpoints();
    assert.equal(report?.backlog, 1);
    assert.equal(report?.counters.dead, 1);
    target.respond = inTurn(200);
    await clock.advance(60_000);
    assert.equal(target.log().at(-1), "young");
    assert.equal((await webhooks.endpoints())[0]?.backlog, 0);
  });

  test("starts anew with a 2xx of the lane", async (t) => {
    let isDown = true;
    const { occupyAndWait, clock, webhooks, target } = await openRig(t, {
      respond: () => answered(isDown ? 500 : 200),
    });
    await occupyAndWait("a");
    await clock.advance(250_000);
    isDown = false;
    await clock.advance(60_000);
    isDown = true;
    await occupyAndWait("b");
    await clock.advance(200_000);
    assert.deepEqual(await webhooks.deadLetters("app", "one"), []);
    isDown = false;
    await clock.advance(60_000);
    assert.equal(target.log().at(-1), "b");
  });
});
