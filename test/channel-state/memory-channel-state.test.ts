import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { COUNT_WINDOW_MS, LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import { SETTLED_AT_ONCE } from "../../src/channel-state/memory-channel-state.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { createDelayedCalls, createSeededRandom } from "../support/delayed-calls.ts";
import { createDelayedChannelState } from "../support/delayed-channel-state.ts";
import { channelStateContract } from "./channel-state-contract.ts";
import { openMemoryState, PARTITIONS } from "./memory-state.ts";

channelStateContract("memory", () => {
  const opened = openMemoryState();
  return {
    state: opened.state,
    appended: (appId, channel) => jsonOf(opened.log, appId, channel),
    decided: () => opened.log,
    announced: () => opened.announcements.map(({ text }) => text),
    advance: async (ms) => opened.advance(ms),
  };
});

channelStateContract("delayed memory", () => {
  const opened = openMemoryState();
  const calls = createDelayedCalls(createSeededRandom(4));
  return {
    state: createDelayedChannelState(opened.state, calls),
    appended: (appId, channel) => jsonOf(opened.log, appId, channel),
    decided: () => opened.log,
    announced: () => opened.announcements.map(({ text }) => text),
    async advance(ms) {
      await calls.settled();
      opened.advance(ms);
    },
  };
});

describe("what only the memory channel state promises", () => {
  const member = (userId: string) => ({ userId, userInfoJson: "{}" });

  test("a leave is due exactly when the grace is over, and not a millisecond before", () => {
    const { state, log, now, sleep } = openMemoryState();
    const partition = partitionOf("1", "a", PARTITIONS);
    state.setSubscriptions("1", "a", 1, false);
    state.setSubscriptions("1", "a", 0, false);
    const dueMs = now() + LEAVE_GRACE_MS;
    sleep(LEAVE_GRACE_MS - 1);
    assert.equal(state.sweep(partition), dueMs);
    assert.equal(log.length, 1);
    sleep(1);
    assert.equal(state.sweep(partition), undefined);
    assert.equal(log.at(-1)?.type, "channel_vacated");
  });

  test("a leave that is due but not swept yet can be taken back", () => {
    const { state, log, sleep } = openMemoryState();
    state.setSubscriptions("1", "a", 1, false);
    state.setSubscriptions("1", "a", 0, false);
    sleep(2 * LEAVE_GRACE_MS);
    state.setSubscriptions("1", "a", 1, false);
    assert.equal(state.sweep(partitionOf("1", "a", PARTITIONS)), undefined);
    assert.deepEqual(
      log.map(({ type }) => type),
      ["channel_occupied"],
    );
    assert.equal(state.counters.returnsInGrace, 1);
  });

  test("one who comes and goes wakes the partition once, until it is swept", () => {
    const { state, woken, log, now, sleep } = openMemoryState();
    const partition = partitionOf("1", "a", PARTITIONS);
    for (let visit = 0; visit < 5; visit += 1) {
      state.setSubscriptions("1", "a", 1, false);
      state.setSubscriptions("1", "a", 0, false);
      sleep(LEAVE_GRACE_MS / 5);
    }
    assert.deepEqual(woken, [partition]);
    const dueMs = now() + LEAVE_GRACE_MS - LEAVE_GRACE_MS / 5;
    assert.equal(
      state.sweep(partition),
      dueMs,
      "nothing is due yet, and it is told when to come again",
    );
    state.setSubscriptions("1", "a", 1, false);
    assert.equal(state.sweep(partition), undefined);
    state.setSubscriptions("1", "a", 0, false);
    assert.equal(woken.length, 2, "nobody would have come");
    sleep(LEAVE_GRACE_MS);
    assert.equal(state.sweep(partition), undefined);
    assert.equal(log.at(-1)?.type, "channel_vacated");
  });

  test("wake is called for what becomes the earliest of its partition, and for nothing else", () => {
    const { state, woken, sleep } = openMemoryState();
    const partition = partitionOf("1", "a", PARTITIONS);
    const [same, other] = [true, false].map((isSame) => channelIn(partition, isSame));
    assert.ok(same && other);
    state.setSubscriptions("1", "a", 101, true);
    assert.deepEqual(woken, [partition], "a count window");
    state.setSubscriptions("1", same, 1, false);
    state.setSubscriptions("1", same, 0, false);
    assert.deepEqual(woken, [partition, partition], "a leave that comes before the window");
    sleep(1);
    state.setSubscriptions("1", "a", 0, false);
    assert.equal(woken.length, 2, "a later leave");
    state.setSubscriptions("1", other, 1, false);
    state.setSubscriptions("1", other, 0, false);
    assert.equal(woken.length, 3, "the first of another partition");
  });

  test("a leave does not wait behind a count window that began before it", () => {
    const { state, log, now, sleep } = openMemoryState();
    const partition = partitionOf("1", "a", PARTITIONS);
    const neighbour = channelIn(partition, true);
    state.setSubscriptions("1", "a", 101, true);
    const windowEndsMs = now() + COUNT_WINDOW_MS;
    sleep(COUNT_WINDOW_MS - LEAVE_GRACE_MS - 1);
    state.setSubscriptions("1", neighbour, 1, false);
    state.setSubscriptions("1", neighbour, 0, false);
    sleep(LEAVE_GRACE_MS);
    assert.equal(state.sweep(partition), windowEndsMs);
    assert.equal(log.at(-1)?.type, "channel_vacated");
    sleep(1);
    assert.equal(state.sweep(partition), undefined);
    assert.equal(log.at(-1)?.type, "subscription_count");
  });

  test("close appends pending leaves at once, members before their channel", async () => {
    const { state, log, now } = openMemoryState();
    const closedAtMs = now();
    state.setSubscriptions("1", "presence-a", 2, false);
    await state.addMember("1", "presence-a", member("u1"), Infinity);
    await state.addMember("1", "presence-a", member("u2"), Infinity);
    state.setSubscriptions("1", "presence-a", 0, false);
    state.removeMember("1", "presence-a", "u2");
    state.removeMember("1", "presence-a", "u1");
    await state.close();
    await state.close();
    assert.deepEqual(
      log.slice(3).map(({ type, json }) => `${type} ${JSON.parse(json).user_id ?? ""}`),
      ["member_removed u2", "member_removed u1", "channel_vacated "],
    );
    assert.equal(log.at(-1)?.atMs, closedAtMs);
    assert.deepEqual(state.sizes(), { channels: 0, users: 0, pending: 0 });
  });

  describe("with more pending leaves than fit into one turn", () => {
    /** Leaves of as many channels of partition 0. */
    function openWith(leaves: number) {
      const opened = openMemoryState();
      for (let i = 0, left = leaves; left > 0; i++) {
        const name = `c${i}`;
        if (partitionOf("1", name, PARTITIONS) !== 0) continue;
        opened.state.setSubscriptions("1", name, 1, false);
        opened.state.setSubscriptions("1", name, 0, false);
        left -= 1;
      }
      const before = opened.log.length;
      return { ...opened, told: () => opened.log.length - before };
    }

    test("close pauses, so that the stream can be emptied in between", async () => {
      const { state, log, told, pausedAt } = openWith(SETTLED_AT_ONCE * 2 + 1);
      const before = log.length;
      await state.close();
      assert.deepEqual(
        pausedAt.map((length) => length - before),
        [SETTLED_AT_ONCE, SETTLED_AT_ONCE * 2],
      );
      assert.equal(told(), SETTLED_AT_ONCE * 2 + 1);
    });

    test("sweep stops and is due again at once", () => {
      const { state, told, sleep, now } = openWith(SETTLED_AT_ONCE + 1);
      sleep(LEAVE_GRACE_MS);
      assert.equal(state.sweep(0), now());
      assert.equal(told(), SETTLED_AT_ONCE);
      assert.equal(state.sweep(0), undefined);
      assert.equal(told(), SETTLED_AT_ONCE + 1);
    });
  });

  test("whoever flaps within the grace holds one pending leave, not one for each time", async () => {
    const { state, sleep } = openMemoryState();
    state.setSubscriptions("1", "presence-a", 1, false);
    for (let times = 0; times < 1_000; times++) {
      await state.addMember("1", "presence-a", member("u1"), Infinity);
      state.removeMember("1", "presence-a", "u1");
      state.setSubscriptions("1", "b", 1, false);
      state.setSubscriptions("1", "b", 0, false);
      state.setSubscriptions("1", "c", 200, true);
      state.setSubscriptions("1", "c", 0, true);
      state.setUserConnections("1", "u1", 1, false);
      state.setUserConnections("1", "u1", 0, false);
      sleep(1);
    }
    assert.deepEqual(state.sizes(), { channels: 3, users: 1, pending: 4 });
  });

  test("a window that is open when the channel is left ends with it", () => {
    const { state, announcements, advance } = openMemoryState();
    state.setSubscriptions("1", "a", 300, true);
    state.setSubscriptions("1", "a", 0, true);
    advance(COUNT_WINDOW_MS);
    assert.deepEqual(announcements, []);
    assert.deepEqual(state.sizes(), { channels: 0, users: 0, pending: 0 });
  });

  test("a user whom nobody watches is forgotten after the grace", () => {
    const { state, advance } = openMemoryState();
    state.setUserConnections("1", "u1", 1, false);
    state.setUserConnections("1", "u1", 0, false);
    advance(LEAVE_GRACE_MS);
    assert.deepEqual(state.sizes(), { channels: 0, users: 0, pending: 0 });
  });

  test("the users that were read stay as they were read", async () => {
    const { state } = openMemoryState();
    await state.addMember("1", "presence-a", member("u1"), Infinity);
    const users = await state.users("1", "presence-a");
    state.removeMember("1", "presence-a", "u1");
    assert.deepEqual([...users.keys()], ["u1"]);
  });

  test("reads and refusals leave nothing behind", async () => {
    const { state } = openMemoryState();
    await state.channel("1", "a");
    await state.users("1", "a");
    state.members("1", "a");
    state.removeMember("1", "a", "u1");
    state.setSubscriptions("1", "a", 0, true);
    state.setUserConnections("1", "u1", 0, false);
    state.unwatch("1", ["u1"]);
    assert.deepEqual(state.sizes(), { channels: 0, users: 0, pending: 0 });
  });
});

/** A channel's name in the given partition, or in any other. */
function channelIn(partition: number, isSame: boolean): string {
  for (let n = 0; ; n++) {
    if ((partitionOf("1", `x${n}`, PARTITIONS) === partition) === isSame) return `x${n}`;
  }
}

function jsonOf(
  log: readonly { appId: string; channel: string; json: string }[],
  appId: string,
  channel: string,
): readonly string[] {
  return log
    .filter((event) => event.appId === appId && event.channel === channel)
    .map(({ json }) => json);
}
