/** What every driver promises about users who sign in and those who watch them (protocol.md §4.3): part of the contract. */
import assert from "node:assert/strict";
import { type ChannelState, LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import {
  APP,
  announced,
  expectAnnounced,
  expectEvents,
  marker,
  type Rule,
  WITHIN_GRACE_MS,
} from "./channel-state-under-test.ts";

const CHANNEL = "#server-to-user-u1";

function tell(state: ChannelState, count: number, appendEvents = true): void {
  state.setUserConnections(APP, "u1", count, appendEvents);
}

function online(userId: string): string {
  return `{"name":"user_online","user_id":"${userId}"}`;
}

function offline(userId: string): string {
  return `{"name":"user_offline","user_id":"${userId}"}`;
}

export function onlineUserRules(rule: Rule): void {
  rule("watching answers who is online, and tells who comes and who stays away", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "u1", 2, false);
    state.setUserConnections("2", "u2", 1, false);
    assert.deepEqual([...(await state.watch(APP, ["u1", "u2"]))], ["u1"]);
    state.setUserConnections(APP, "u1", 1, false);
    state.setUserConnections(APP, "u2", 1, false);
    state.setUserConnections(APP, "u1", 0, false);
    state.setUserConnections(APP, "unwatched", 1, false);
    await opened.advance(LEAVE_GRACE_MS);
    state.setUserConnections(APP, "u1", 1, false);
    await expectAnnounced(opened, [
      announced.userOnline("u2"),
      announced.userOffline("u1"),
      announced.userOnline("u1"),
    ]);
    assert.deepEqual([...(await state.watch(APP, ["u1", "u2"]))], ["u1", "u2"]);
  });

  rule("a user who returns within the grace was never offline", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "u1", 1, false);
    await state.watch(APP, ["u1", "marker"]);
    state.setUserConnections(APP, "u1", 0, false);
    await opened.advance(WITHIN_GRACE_MS);
    state.setUserConnections(APP, "u1", 1, false);
    await opened.advance(2 * LEAVE_GRACE_MS);
    state.setUserConnections(APP, "marker", 1, false);
    await expectAnnounced(opened, [announced.userOnline("marker")]);
  });

  rule(
    "who begins to watch within the grace and is told online hears of the offline",
    async (opened) => {
      const { state } = opened;
      state.setUserConnections(APP, "u1", 1, false);
      state.setUserConnections(APP, "u1", 0, false);
      const isToldOnline = (await state.watch(APP, ["u1"])).has("u1");
      await opened.advance(LEAVE_GRACE_MS);
      await state.watch(APP, ["marker"]);
      state.setUserConnections(APP, "marker", 1, false);
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
    state.setUserConnections(APP, "u1", 1, false);
    state.unwatch(APP, ["u1"]);
    state.setUserConnections(APP, "u1", 0, false);
    await opened.advance(LEAVE_GRACE_MS);
    state.setUserConnections(APP, "marker", 1, false);
    await expectAnnounced(opened, [announced.userOnline("u1"), announced.userOnline("marker")]);
  });

  rule(
    "receivers are told once that a user is online, and that the grace is over",
    async (opened) => {
      const { state } = opened;
      tell(state, 1);
      tell(state, 2);
      tell(state, 1);
      tell(state, 0);
      await opened.advance(WITHIN_GRACE_MS);
      await expectEvents(opened, CHANNEL, [online("u1")], APP, "still waiting");
      await opened.advance(LEAVE_GRACE_MS);
      tell(state, 1);
      await expectEvents(opened, CHANNEL, [
        online("u1"),
        marker("still waiting"),
        offline("u1"),
        online("u1"),
      ]);
    },
  );

  rule("receivers hear nothing of a user who returns within the grace", async (opened) => {
    const { state } = opened;
    for (let times = 0; times < 3; times++) {
      tell(state, 1);
      tell(state, 0);
      await opened.advance(WITHIN_GRACE_MS);
    }
    tell(state, 1);
    await opened.advance(2 * LEAVE_GRACE_MS);
    await expectEvents(opened, CHANNEL, [online("u1")]);
  });

  rule("receivers that come later are told of who is online then", async (opened) => {
    const { state } = opened;
    tell(state, 1, false);
    await opened.advance(0);
    tell(state, 2, true);
    await opened.advance(0);
    tell(state, 0, false);
    await opened.advance(LEAVE_GRACE_MS);
    tell(state, 1, false);
    tell(state, 0, true);
    await opened.advance(LEAVE_GRACE_MS);
    await expectEvents(opened, CHANNEL, [online("u1"), offline("u1")]);
  });

  rule("a user's id stands in the events as it is, whatever is in it", async (opened) => {
    const { state } = opened;
    const userId = 'a/"b\\\u0000\n{}: é 😀';
    state.setUserConnections(APP, userId, 1, true);
    state.setUserConnections(APP, userId, 0, true);
    await opened.advance(LEAVE_GRACE_MS);
    const events = ["user_online", "user_offline"].map((name) =>
      JSON.stringify({ name, user_id: userId }),
    );
    await expectEvents(opened, `#server-to-user-${userId}`, events);
  });

  rule("users are no channels and append nothing that nobody wants", async (opened) => {
    const { state } = opened;
    state.setUserConnections(APP, "u1", 1, false);
    await state.watch(APP, ["u1"]);
    assert.equal((await state.channels(APP, "")).size, 0);
    state.setUserConnections(APP, "u1", 0, false);
    await opened.advance(LEAVE_GRACE_MS);
    await expectEvents(opened, "#server-to-user-u1", []);
  });
}
