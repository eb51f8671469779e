import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createFormerHoldings,
  restoreGone,
} from "../../src/channel-state/redis-former-holdings.ts";
import {
  createTrackedChannel,
  type LocalUser,
  type Step,
  type TrackedChannel,
} from "../../src/channel-state/redis-tracked-channel.ts";

const ann: LocalUser = {
  userId: "ann",
  userInfoJson: "{}",
  maxMembers: 9,
  version: undefined,
  waiters: new Set(),
};

function heldChannel(ackedCount: number, userIds: readonly string[]): TrackedChannel {
  const channel = createTrackedChannel("1", "presence-room", 0);
  return Object.assign(channel, { ackedCount, ackedUsers: new Set(userIds) });
}

test("what was held is known until its end has been told, and taken once", () => {
  const former = createFormerHoldings();
  const channel = heldChannel(1, ["ann"]);
  former.addAcknowledged([channel, heldChannel(0, [])], 1_000);
  former.expire(999);
  const [holding, ...others] = former.take(999);
  assert.deepEqual(holding, { channel, isCounted: true, users: new Set(["ann"]) });
  assert.deepEqual(others, [], "a channel of which nothing was held");
  assert.deepEqual(former.take(999), []);
  former.addAcknowledged([channel], 1_000);
  former.expire(1_000);
  assert.deepEqual(former.take(0), []);
});

test("of a write under way who comes counts as held, and who goes does not", () => {
  const former = createFormerHoldings();
  const channel = heldChannel(0, []);
  const steps: readonly Step[] = [
    { kind: "count", count: 0, isAnnounced: false, isRestored: false },
    { kind: "join", user: ann, isRestored: false },
    { kind: "leave", userId: "bob", isRestored: false },
  ];
  former.addUnderWay({ seq: 1, steps: steps.map((step) => ({ channel, step })) }, 1_000);
  const [holding] = former.take(0);
  assert.deepEqual(holding, { channel, isCounted: false, users: new Set(["ann"]) });
});

test("only who is gone is to be told again, and the channel once nobody is subscribed", () => {
  const channel = createTrackedChannel("1", "presence-room", 0);
  channel.wantedCount = 1;
  channel.wantedUsers = new Map([["ann", ann]]);
  const holding = { channel, isCounted: true, users: new Set(["ann", "bob"]) };
  restoreGone(channel, holding);
  assert.equal(channel.isCountRestored, false);
  assert.deepEqual(channel.restoredUsers, new Set(["bob"]));
  channel.wantedCount = 0;
  restoreGone(channel, holding);
  assert.equal(channel.isCountRestored, true);
});

test("a user of whose coming receivers were told is told to them as gone", () => {
  const before = createTrackedChannel("1", "#server-to-user-ann", 0);
  before.isAnnounced = true;
  const successor = createTrackedChannel("1", "#server-to-user-ann", 0);
  restoreGone(successor, { channel: before, isCounted: true, users: new Set() });
  assert.equal(successor.isAnnounced, true);
});
