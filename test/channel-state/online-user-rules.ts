/** What every driver promises about users who sign in and those who watch them (protocol.md §4.3): part of the contract. */
import assert from "node:assert/strict";
import { LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import {
  APP,
  announced,
  expectAnnounced,
  expectEvents,
  type Rule,
  WITHIN_GRACE_MS,
} from "./channel-state-under-test.ts";

export function onlineUserRules(rule: Rule): void {
  rule("watching answers who is online, and tells who comes and who stays away", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "u1", 2);
    state.setUserConnections("2", "u2", 1);
    assert.deepEqual([...(await state.watch(APP, ["u1", "u2"]))], ["u1"]);
    state.setUserConnections(APP, "u1", 1);
    state.setUserConnections(APP, "u2", 1);
    state.setUserConnections(APP, "u1", 0);
    state.setUserConnections(APP, "unwatched", 1);
    await opened.advance(LEAVE_GRACE_MS);
    state.setUserConnections(APP, "u1", 1);
    await expectAnnounced(opened, [
      announced.userOnline("u2"),
      announced.userOffline("u1"),
      announced.userOnline("u1"),
    ]);
    assert.deepEqual([...(await state.watch(APP, ["u1", "u2"]))], ["u1", "u2"]);
  });

  rule("a user who returns within the grace was never offline", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "u1", 1);
    await state.watch(APP, ["u1", "marker"]);
    state.setUserConnections(APP, "u1", 0);
    await opened.advance(WITHIN_GRACE_MS);
    state.setUserConnections(APP, "u1", 1);
    await opened.advance(2 * LEAVE_GRACE_MS);
    state.setUserConnections(APP, "marker", 1);
    await expectAnnounced(opened, [announced.userOnline("marker")]);
  });

  rule(
    "who begins to watch within the grace and is told online hears of the offline",
    async (opened) => {
      const { state } = opened;
      state.setUserConnections(APP, "u1", 1);
      state.setUserConnections(APP, "u1", 0);
      const isToldOnline = (await state.watch(APP, ["u1"])).has("u1");
      await opened.advance(LEAVE_GRACE_MS);
      await state.watch(APP, ["marker"]);
      state.setUserConnections(APP, "marker", 1);
      await expectAnnounced(opened, [
        ...(isToldOnline ? [announced.userOffline("u1")] : []),
        announced.userOnline("marker"),
      ]);
    },
  );

  rule("a user watched twice is told of until it has been unwatched twice", async (opened) => {
    const { state } = opened;
    await state.watch(APP, ["u1"]);
    await state.watch(APP, ["u1", "marker"]);
    state.unwatch(APP, ["u1"]);
    state.setUserConnections(APP, "u1", 1);
    state.unwatch(APP, ["u1"]);
    state.setUserConnections(APP, "u1", 0);
    await opened.advance(LEAVE_GRACE_MS);
    state.setUserConnections(APP, "marker", 1);
    await expectAnnounced(opened, [announced.userOnline("u1"), announced.userOnline("marker")]);
  });

  rule("users are no channels and append nothing", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "u1", 1);
    await state.watch(APP, ["u1"]);
    assert.equal((await state.channels(APP, "")).size, 0);
    state.setUserConnections(APP, "u1", 0);
    await opened.advance(LEAVE_GRACE_MS);
    await expectEvents(opened, "#server-to-user-u1", []);
  });
}
