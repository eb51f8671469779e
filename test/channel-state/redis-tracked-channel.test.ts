import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addStep,
  collapse,
  createTrackedChannel,
  type LocalUser,
  takeSteps,
} from "../../src/channel-state/redis-tracked-channel.ts";

const user = (): LocalUser => ({
  userId: "ann",
  userInfoJson: "{}",
  maxMembers: 100,
  version: undefined,
  waiters: new Set(),
});

test("who returns while Redis is away is told to it again, though a join before may have been carried out", () => {
  const channel = createTrackedChannel("app", "presence-room", 0);
  const before = user();
  channel.wantedUsers = new Map([["ann", before]]);
  addStep(channel, { kind: "join", user: before, isRestored: false });
  assert.equal(takeSteps(channel, 10).length, 1, "under way, and not answered");
  channel.wantedUsers = new Map();
  addStep(channel, { kind: "leave", userId: "ann", isRestored: false });
  collapse(channel);
  const after = user();
  channel.wantedUsers = new Map([["ann", after]]);
  addStep(channel, { kind: "join", user: after, isRestored: false });
  channel.ackedUsers = new Set(["ann"]);
  const [step, ...more] = takeSteps(channel, 10);
  assert.ok(step?.kind === "join" && step.user === after, "its waiters wait for this");
  assert.deepEqual(more, []);
  after.version = 1;
  collapse(channel);
  assert.deepEqual(takeSteps(channel, 10), [], "once it is answered nothing is left to tell");
});
