/** What every driver promises about snapshots (docs/webhooks.md): part of the contract. */
import assert from "node:assert/strict";
import { LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import type { ChannelSnapshot } from "../../src/channel-state/snapshot.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import { compareEventIds } from "../../src/webhooks/event-id.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import {
  APP,
  type ChannelStateUnderTest,
  type DecidedEvent,
  expectEvents,
  MAX_SNAPSHOT_ENTRIES_UNDER_TEST,
  PARTITIONS_UNDER_TEST,
  type Rule,
  WITHIN_GRACE_MS,
} from "./channel-state-under-test.ts";

const PRESENCE = "presence-room";

export function snapshotRules(rule: Rule): void {
  rule("a snapshot has the app's channels of one partition, by prefix", async (opened) => {
    const { state } = opened;
    for (const channel of ["room", "room-2", PRESENCE]) {
      state.setSubscriptions(APP, channel, 2, false);
    }
    await state.addMember(APP, PRESENCE, { userId: 'u"1', userInfoJson: "{}" }, Infinity);
    await state.addMember(APP, PRESENCE, { userId: "ü", userInfoJson: "{}" }, Infinity);
    state.setSubscriptions("2", "room-of-another-app", 1, false);
    assert.deepEqual(await told(opened), {
      room: [],
      "room-2": [],
      [PRESENCE]: ['u"1', "ü"],
    });
    assert.deepEqual(await told(opened, "presence-"), { [PRESENCE]: ['u"1', "ü"] });
    assert.deepEqual(await told(opened, "room-"), { "room-2": [] });
    for (let partition = 0; partition < PARTITIONS_UNDER_TEST; partition++) {
      for (const channel of (await taken(opened, partition)).channels.keys()) {
        assert.equal(partitionOf(APP, channel, PARTITIONS_UNDER_TEST), partition);
      }
    }
    assert.equal(await state.snapshot(APP, PARTITIONS_UNDER_TEST, ""), "no partition");
  });

  rule("what waits out its grace is in the snapshot until receivers are told", async (opened) => {
    const { state } = opened;
    state.setSubscriptions(APP, "room", 1, false);
    state.setSubscriptions(APP, PRESENCE, 2, false);
    for (const userId of ["goes", "returns", "stays"]) {
      await state.addMember(APP, PRESENCE, { userId, userInfoJson: "{}" }, Infinity);
    }
    state.setSubscriptions(APP, "room", 0, false);
    state.removeMember(APP, PRESENCE, "goes");
    state.removeMember(APP, PRESENCE, "returns");
    await opened.advance(WITHIN_GRACE_MS);
    assert.deepEqual(await told(opened), { room: [], [PRESENCE]: ["goes", "returns", "stays"] });
    await state.addMember(APP, PRESENCE, { userId: "returns", userInfoJson: "{}" }, Infinity);
    await opened.advance(LEAVE_GRACE_MS);
    assert.deepEqual(await told(opened), { [PRESENCE]: ["returns", "stays"] });

    // The whole channel at once.
    for (const userId of ["returns", "stays"]) state.removeMember(APP, PRESENCE, userId);
    state.setSubscriptions(APP, PRESENCE, 0, false);
    await opened.advance(WITHIN_GRACE_MS);
    assert.deepEqual(await told(opened), { [PRESENCE]: ["returns", "stays"] });
    await opened.advance(LEAVE_GRACE_MS);
    assert.deepEqual(await told(opened), {});
  });

  rule("a channel is in the snapshot as soon as it has a member", async (opened) => {
    await opened.state.addMember(APP, PRESENCE, { userId: "u", userInfoJson: "{}" }, Infinity);
    assert.deepEqual(await told(opened), { [PRESENCE]: ["u"] });
  });

  rule("it has the users of whom receivers know that they are online", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "goes", 1, true);
    state.setUserConnections(APP, "stays", 2, true);
    state.setUserConnections(APP, "untold", 1, false);
    state.setUserConnections("2", "elsewhere", 1, true);
    state.setUserConnections(APP, "goes", 0, true);
    await opened.advance(WITHIN_GRACE_MS);
    assert.deepEqual(await told(opened), { [userChannel("goes")]: [], [userChannel("stays")]: [] });
    await opened.advance(LEAVE_GRACE_MS);
    assert.deepEqual(await told(opened), { [userChannel("stays")]: [] });
    const partition = partitionOf(APP, userChannel("stays"), PARTITIONS_UNDER_TEST);
    assert.deepEqual([...(await taken(opened, partition)).users], ["stays"]);
  });

  rule("a prefix is about channels: those who are online come whatever it says", async (opened) => {
    const { state } = opened;
    state.setSubscriptions(APP, "room-1", 1, false);
    state.setSubscriptions(APP, "hall-1", 1, false);
    state.setUserConnections(APP, "7", 1, true);
    for (const prefix of ["room-", "room-2", "#", userChannel("8")]) {
      assert.deepEqual(await told(opened, prefix), {
        ...(prefix === "room-" ? { "room-1": [] } : {}),
        [userChannel("7")]: [],
      });
    }
  });

  rule("its revision is the id of the last event decided in the partition", async (opened) => {
    const { state } = opened;
    const partition = partitionOf(APP, "room", PARTITIONS_UNDER_TEST);
    const untouched = (partition + 1) % PARTITIONS_UNDER_TEST;
    const before = await taken(opened, untouched);
    assert.match(before.revision, new RegExp(`^\\d+-${untouched}-0-0$`));
    state.setSubscriptions(APP, "room", 1, false);
    const revision = await revisionOf(opened, partition);
    assert.equal(revision, (await opened.decided()).at(-1)?.id);

    // Nothing is decided by a leave as long as its grace lasts.
    state.setSubscriptions(APP, "room", 0, false);
    assert.equal(await revisionOf(opened, partition), revision);
    state.setSubscriptions(APP, "room", 1, false);
    await expectEvents(opened, "room", ['{"name":"channel_occupied","channel":"room"}']);
    const later = await revisionOf(opened, partition);
    assert.ok(compareEventIds(later, revision) > 0);
    assert.equal(later, (await opened.decided()).at(-1)?.id);
    assert.equal(await revisionOf(opened, untouched), before.revision);
  });

  rule("more than may be read in one step is refused, and a part of it is not", async (opened) => {
    const { state } = opened;
    const partition = partitionOf(APP, "few", PARTITIONS_UNDER_TEST);
    state.setSubscriptions(APP, "few", 1, false);
    let many = 0;
    for (let n = 0; many < MAX_SNAPSHOT_ENTRIES_UNDER_TEST; n++) {
      if (partitionOf(APP, `many-${n}`, PARTITIONS_UNDER_TEST) !== partition) continue;
      state.setSubscriptions(APP, `many-${n}`, 1, false);
      many += 1;
    }
    assert.equal(await state.snapshot(APP, partition, ""), "too many");
    assert.deepEqual([...(await taken(opened, partition, "few")).channels.keys()], ["few"]);

    const crowd = "presence-crowd";
    for (let n = 0; n < MAX_SNAPSHOT_ENTRIES_UNDER_TEST; n++) {
      await state.addMember(APP, crowd, { userId: `u${n}`, userInfoJson: "{}" }, Infinity);
    }
    const its = partitionOf(APP, crowd, PARTITIONS_UNDER_TEST);
    assert.equal(await state.snapshot(APP, its, "presence-"), "too many");
  });

  rule(
    "those who are online count against what may be read, whatever the prefix",
    async (opened) => {
      const { state } = opened;
      const partition = partitionOf(APP, "few", PARTITIONS_UNDER_TEST);
      let many = 0;
      for (let n = 0; many <= MAX_SNAPSHOT_ENTRIES_UNDER_TEST; n++) {
        if (partitionOf(APP, userChannel(`u${n}`), PARTITIONS_UNDER_TEST) !== partition) continue;
        state.setUserConnections(APP, `u${n}`, 1, true);
        many += 1;
      }
      assert.equal(await state.snapshot(APP, partition, "few"), "too many");
    },
  );

  rule("with the later events it gives the truth, whenever it was taken", async (opened) => {
    const { state } = opened;
    const seed = Date.now() % 100_000;
    const random = createSeededRandom(seed);
    const pick = (count: number) => Math.floor(random() * count);
    const snapshots: Promise<ChannelSnapshot>[] = [];
    const joins: unknown[] = [];
    for (let step = 0; step < 400; step++) {
      const channel = `${random() < 0.5 ? "presence-" : ""}${pick(4)}`;
      const userId = `u${pick(3)}`;
      if (random() < 0.1) state.setUserConnections(APP, userId, pick(2), random() < 0.8);
      else if (random() < 0.4) state.setSubscriptions(APP, channel, pick(2), false);
      else if (!channel.startsWith("presence-")) continue;
      else if (random() < 0.5) state.removeMember(APP, channel, userId);
      else {
        const joined = state.addMember(APP, channel, { userId, userInfoJson: "{}" }, Infinity);
        // Overtaken by a leave, which is as good.
        joins.push(Promise.resolve(joined).catch(() => undefined));
      }
      if (random() < 0.3) snapshots.push(taken(opened, pick(PARTITIONS_UNDER_TEST)));
      if (random() < 0.05) await opened.advance(random() * LEAVE_GRACE_MS);
    }
    await Promise.all(joins);
    await opened.advance(LEAVE_GRACE_MS);
    const truth = await told(opened);
    const events = await opened.decided();
    assert.ok(snapshots.length > 50);
    for (const snapshot of await Promise.all(snapshots)) {
      const partition = Number(snapshot.revision.split("-")[1]);
      const its = Object.entries(truth).filter(
        ([channel]) => partitionOf(APP, channel, PARTITIONS_UNDER_TEST) === partition,
      );
      assert.deepEqual(
        applied(snapshot, partition, events),
        Object.fromEntries(its),
        `seed ${seed}: ${snapshot.revision}`,
      );
    }
  });
}

/** What a receiver believes that has the snapshot and then hears the later events. */
function applied(
  { revision, channels, users }: ChannelSnapshot,
  partition: number,
  events: readonly DecidedEvent[],
): Record<string, readonly string[]> {
  const online = new Set(users);
  const believed = new Map([...channels].map(([channel, users]) => [channel, new Set(users)]));
  for (const { id, json } of events) {
    if (Number(id.split("-")[1]) !== partition || compareEventIds(id, revision) <= 0) continue;
    const { name, channel, user_id: userId } = JSON.parse(json) as Record<string, string>;
    if (name === "user_online" && userId !== undefined) online.add(userId);
    if (name === "user_offline" && userId !== undefined) online.delete(userId);
    if (channel === undefined) continue;
    if (name === "channel_occupied") believed.set(channel, new Set());
    if (name === "channel_vacated") believed.delete(channel);
    if (name === "member_added" && userId !== undefined) believed.get(channel)?.add(userId);
    if (name === "member_removed" && userId !== undefined) believed.get(channel)?.delete(userId);
  }
  return written({ channels: believed, users: online });
}

async function taken(
  { state }: ChannelStateUnderTest,
  partition: number,
  prefix = "",
): Promise<ChannelSnapshot> {
  const snapshot = await state.snapshot(APP, partition, prefix);
  if (typeof snapshot === "string") throw new Error(`No snapshot of ${partition}: ${snapshot}.`);
  return snapshot;
}

async function revisionOf(opened: ChannelStateUnderTest, partition: number): Promise<string> {
  return (await taken(opened, partition)).revision;
}

/** Everything that snapshots of all partitions tell: channels with their users, and users as their channels. */
async function told(
  opened: ChannelStateUnderTest,
  prefix = "",
): Promise<Record<string, readonly string[]>> {
  const all = Array.from({ length: PARTITIONS_UNDER_TEST }, (_, p) => taken(opened, p, prefix));
  return Object.assign({}, ...(await Promise.all(all)).map(written));
}

function written({
  channels,
  users,
}: Pick<ChannelSnapshot, "channels" | "users">): Record<string, readonly string[]> {
  const all = [...channels].map(([channel, its]) => [channel, [...its].sort()] as const);
  return Object.fromEntries([...all, ...[...users].map((id) => [userChannel(id), []] as const)]);
}

function userChannel(userId: string): string {
  return USER_CHANNEL_PREFIX + userId;
}
