/** What every driver of ChannelState promises. Each driver's own test file runs this and adds what is its own. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  type ChannelState,
  COUNT_EVERY_CHANGE_UP_TO,
  COUNT_WINDOW_MS,
  LEAVE_GRACE_MS,
} from "../../src/channel-state/channel-state.ts";
import type { PresenceMember } from "../../src/protocol/presence.ts";
import { until } from "../support/until.ts";

/** A fresh state, and what a test sees of it. `T | Promise<T>`: a driver may have to look elsewhere. */
export interface ChannelStateUnderTest {
  readonly state: ChannelState;
  /** The events appended for the channel, in order: the JSON of each. */
  appended(appId: string, channel: string): readonly string[] | Promise<readonly string[]>;
  /** What this node's sockets were told, in order, in the words of {@link announced}. */
  announced(): readonly string[];
  /** Lets everything that was called so far take effect, then `ms` pass, and what is due be settled. */
  advance(ms: number): Promise<void>;
}

/** An announcement, as the tests write it down. */
export const announced = {
  memberAdded: (channel: string, userId: string, info = "{}") => `${channel} +${userId} ${info}`,
  memberRemoved: (channel: string, userId: string) => `${channel} -${userId}`,
  subscriptionCount: (channel: string, count: number) => `${channel} has ${count}`,
  userOnline: (userId: string) => `${userId} online`,
  userOffline: (userId: string) => `${userId} offline`,
};

const APP = "1";
const ROOM = "presence-room";
/** Just inside the grace, with room for a driver whose clock cannot be stopped. */
const WITHIN_GRACE_MS = LEAVE_GRACE_MS / 3;
const MANY = COUNT_EVERY_CHANGE_UP_TO;

export function channelStateContract(
  driver: string,
  open: () => ChannelStateUnderTest | Promise<ChannelStateUnderTest>,
): void {
  const rule = (sentence: string, run: (opened: ChannelStateUnderTest) => Promise<void>) =>
    test(sentence, async (t) => run(await opened(t, open)));

  describe(`${driver} channel state`, () => {
    rule(
      "counts of a channel are those told last, and 0 when nobody is there",
      async ({ state }) => {
        assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 0, users: 0 });
        state.setSubscriptions(APP, "a", 2, false);
        state.setSubscriptions(APP, "a", 3, false);
        assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 3, users: 0 });
        state.setSubscriptions(APP, "a", 0, false);
        assert.deepEqual(await state.channel(APP, "a"), { subscriptions: 0, users: 0 });
      },
    );

    rule("telling the same twice changes nothing", async (opened) => {
      const { state } = opened;
      for (let twice = 0; twice < 2; twice++) {
        state.setSubscriptions(APP, ROOM, 2, true);
        await state.addMember(APP, ROOM, member("u1"), Infinity);
      }
      for (let twice = 0; twice < 2; twice++) {
        state.removeMember(APP, ROOM, "u1");
        state.setSubscriptions(APP, ROOM, 0, true);
      }
      assert.deepEqual(await state.channel(APP, ROOM), { subscriptions: 0, users: 0 });
      await opened.advance(LEAVE_GRACE_MS);
      await expectEvents(opened, ROOM, [
        occupied(ROOM),
        count(ROOM, 2),
        added(ROOM, "u1"),
        count(ROOM, 0),
        removed(ROOM, "u1"),
        vacated(ROOM),
      ]);
    });

    rule("channels are listed by app and prefix while they are occupied", async ({ state }) => {
      state.setSubscriptions(APP, ROOM, 1, false);
      await state.addMember(APP, ROOM, member("u1"), Infinity);
      state.setSubscriptions(APP, "room", 2, false);
      state.setSubscriptions(APP, "gone", 1, false);
      state.setSubscriptions(APP, "gone", 0, false);
      state.setSubscriptions("2", "room-of-another-app", 1, false);
      state.setUserConnections(APP, "u1", 1);
      assert.deepEqual(
        new Map(await state.channels(APP, "")),
        new Map([
          [ROOM, { subscriptions: 1, users: 1 }],
          ["room", { subscriptions: 2, users: 0 }],
        ]),
      );
      assert.deepEqual([...(await state.channels(APP, "presence-")).keys()], [ROOM]);
      assert.deepEqual([...(await state.channels("3", "")).keys()], []);
    });

    rule("one name in two apps is two channels", async (opened) => {
      const { state } = opened;
      state.setSubscriptions(APP, ROOM, 1, false);
      await state.addMember(APP, ROOM, member("u1"), Infinity);
      assert.deepEqual(await state.channel("2", ROOM), { subscriptions: 0, users: 0 });
      assert.equal((await state.users("2", ROOM)).size, 0);
      state.setSubscriptions("2", ROOM, 1, false);
      await expectEvents(opened, ROOM, [occupied(ROOM)], "2");
      await expectEvents(opened, ROOM, [occupied(ROOM), added(ROOM, "u1")]);
    });

    rule(
      "a channel is vacated once the grace is over, and occupied anew after that",
      async (opened) => {
        const { state } = opened;
        state.setSubscriptions(APP, "a", 1, false);
        state.setSubscriptions(APP, "a", 0, false);
        await opened.advance(WITHIN_GRACE_MS);
        await expectEvents(opened, "a", [occupied("a")], APP, "still waiting");
        await opened.advance(LEAVE_GRACE_MS);
        state.setSubscriptions(APP, "a", 1, false);
        await expectEvents(opened, "a", [
          occupied("a"),
          marker("still waiting"),
          vacated("a"),
          occupied("a"),
        ]);
      },
    );

    rule("a channel that returns within the grace causes neither event", async (opened) => {
      const { state } = opened;
      for (let times = 0; times < 3; times++) {
        state.setSubscriptions(APP, "a", 1, false);
        state.setSubscriptions(APP, "a", 0, false);
        await opened.advance(WITHIN_GRACE_MS);
      }
      state.setSubscriptions(APP, "a", 1, false);
      await opened.advance(2 * LEAVE_GRACE_MS);
      await expectEvents(opened, "a", [occupied("a")]);
    });

    rule(
      "a member who returns within the grace causes neither event, but sockets see both",
      async (opened) => {
        const { state } = opened;
        state.setSubscriptions(APP, ROOM, 1, false);
        await state.addMember(APP, ROOM, member("u1", "1"), Infinity);
        await state.addMember(APP, ROOM, member("u2"), Infinity);
        state.removeMember(APP, ROOM, "u1");
        await opened.advance(WITHIN_GRACE_MS);
        await state.addMember(APP, ROOM, member("u1", "2"), Infinity);
        await opened.advance(2 * LEAVE_GRACE_MS);
        await expectEvents(opened, ROOM, [occupied(ROOM), added(ROOM, "u1"), added(ROOM, "u2")]);
        await expectAnnounced(opened, [
          announced.memberAdded(ROOM, "u1", "1"),
          announced.memberAdded(ROOM, "u2"),
          announced.memberRemoved(ROOM, "u1"),
          announced.memberAdded(ROOM, "u1", "2"),
        ]);
      },
    );

    rule(
      "a member who does not return is removed after the grace, the channel stays",
      async (opened) => {
        const { state } = opened;
        state.setSubscriptions(APP, ROOM, 2, false);
        await state.addMember(APP, ROOM, member("u1"), Infinity);
        await state.addMember(APP, ROOM, member("u2"), Infinity);
        state.removeMember(APP, ROOM, "u1");
        assert.deepEqual([...(await state.users(APP, ROOM)).keys()], ["u2"]);
        await opened.advance(LEAVE_GRACE_MS);
        await expectEvents(opened, ROOM, [
          occupied(ROOM),
          added(ROOM, "u1"),
          added(ROOM, "u2"),
          removed(ROOM, "u1"),
        ]);
      },
    );

    for (const first of ["subscription", "member"]) {
      rule(
        `occupied comes before added and removed before vacated when the ${first} is told first`,
        async (opened) => {
          const { state } = opened;
          const inOrder = async (subscription: () => void, presence: () => unknown) => {
            if (first === "subscription") subscription();
            await presence();
            if (first === "member") subscription();
          };
          await inOrder(
            () => state.setSubscriptions(APP, ROOM, 1, false),
            () => state.addMember(APP, ROOM, member("u1"), Infinity),
          );
          await inOrder(
            () => state.setSubscriptions(APP, ROOM, 0, false),
            () => state.removeMember(APP, ROOM, "u1"),
          );
          await opened.advance(LEAVE_GRACE_MS);
          await expectEvents(opened, ROOM, [
            occupied(ROOM),
            added(ROOM, "u1"),
            removed(ROOM, "u1"),
            vacated(ROOM),
          ]);
        },
      );
    }

    rule(
      "members include the joiner once addMember has answered, with the info brought first",
      async (opened) => {
        const { state } = opened;
        state.setSubscriptions(APP, ROOM, 1, false);
        assert.equal(
          await state.addMember(APP, ROOM, member("u1", '{"tab":1}'), Infinity),
          "added",
        );
        assert.deepEqual([...state.members(APP, ROOM)], [["u1", '{"tab":1}']]);
        assert.equal(
          await state.addMember(APP, ROOM, member("u1", '{"tab":2}'), Infinity),
          "added",
        );
        assert.equal(await state.addMember(APP, ROOM, member("u2"), Infinity), "added");
        const expected = [
          ["u1", '{"tab":1}'],
          ["u2", "{}"],
        ];
        assert.deepEqual([...state.members(APP, ROOM)], expected);
        assert.deepEqual([...(await state.users(APP, ROOM))], expected);
        assert.deepEqual(await state.channel(APP, ROOM), { subscriptions: 1, users: 2 });
      },
    );

    rule("members always are what the announcements so far add up to", async (opened) => {
      const { state } = opened;
      const problems: string[] = [];
      const check = () => {
        const told = membersTold(opened.announced(), ROOM);
        const listed = [...state.members(APP, ROOM).keys()].sort().join();
        if (listed !== told) problems.push(`members are ${listed}, sockets were told ${told}`);
      };
      state.setSubscriptions(APP, ROOM, 1, false);
      await state.addMember(APP, ROOM, member("stays"), Infinity);
      const answers: Promise<void>[] = [];
      for (let round = 0; round < 30; round++) {
        const userId = `u${round % 4}`;
        if (round % 3 === 2) state.removeMember(APP, ROOM, userId);
        else answers.push(addAndThen(state, userId, check));
        check();
      }
      await Promise.all(answers);
      await opened.advance(0);
      check();
      assert.deepEqual(problems, []);
    });

    rule(
      "a full channel refuses a new user, never one who is there, and records nothing",
      async (opened) => {
        const { state } = opened;
        state.setSubscriptions(APP, ROOM, 3, false);
        const add = (userId: string) => state.addMember(APP, ROOM, member(userId), 2);
        assert.equal(await add("u1"), "added");
        assert.equal(await add("u2"), "added");
        assert.equal(await add("u3"), "full");
        assert.equal(await add("u1"), "added");
        assert.equal((await state.users(APP, ROOM)).size, 2);
        state.removeMember(APP, ROOM, "u3");
        await opened.advance(LEAVE_GRACE_MS);
        await expectEvents(opened, ROOM, [occupied(ROOM), added(ROOM, "u1"), added(ROOM, "u2")]);
      },
    );

    rule(
      "a place is free as soon as its member has left, whatever the grace",
      async ({ state }) => {
        state.setSubscriptions(APP, ROOM, 1, false);
        await state.addMember(APP, ROOM, member("u1"), 1);
        state.removeMember(APP, ROOM, "u1");
        assert.equal(await state.addMember(APP, ROOM, member("u2"), 1), "added");
        assert.equal(await state.addMember(APP, ROOM, member("u1"), 1), "full");
      },
    );

    rule("operations on one channel take effect in the order of the calls", async (opened) => {
      const { state } = opened;
      const answers = [];
      for (let times = 0; times < 5; times++) {
        state.setSubscriptions(APP, ROOM, times + 1, false);
        answers.push(state.addMember(APP, ROOM, member("u1"), 1));
        state.removeMember(APP, ROOM, "u1");
        answers.push(state.addMember(APP, ROOM, member("u2"), 1));
        state.removeMember(APP, ROOM, "u2");
      }
      assert.deepEqual(new Set(await Promise.all(answers)), new Set(["added"]));
      assert.deepEqual(await state.channel(APP, ROOM), { subscriptions: 5, users: 0 });
    });

    rule("what is recorded stands in order among the transitions", async (opened) => {
      const { state } = opened;
      state.setSubscriptions(APP, "a", 1, false);
      state.record(APP, "a", { type: "client_event", json: marker("one") });
      state.record(APP, "a", { type: "client_event", json: marker("two") });
      state.setSubscriptions(APP, "a", 0, false);
      await opened.advance(LEAVE_GRACE_MS);
      await expectEvents(opened, "a", [occupied("a"), marker("one"), marker("two"), vacated("a")]);
    });

    countRules(rule);
    userRules(rule);
  });
}

type Rule = (sentence: string, run: (opened: ChannelStateUnderTest) => Promise<void>) => void;

function countRules(rule: Rule): void {
  rule("up to 100 subscriptions every change of the count is told and recorded", async (opened) => {
    const { state } = opened;
    for (const subscriptions of [1, 2, 2, MANY, 1]) {
      state.setSubscriptions(APP, "a", subscriptions, true);
    }
    await expectAnnounced(
      opened,
      [1, 2, MANY, 1].map((subscriptions) => announced.subscriptionCount("a", subscriptions)),
    );
    await expectEvents(opened, "a", [
      occupied("a"),
      ...[1, 2, MANY, 1].map((subscriptions) => count("a", subscriptions)),
    ]);
  });

  rule(
    "above 100 the latest count is told at the end of a window, and only if it changed",
    async (opened) => {
      const { state } = opened;
      state.setSubscriptions(APP, "a", MANY, true);
      for (const more of [1, 2, 3]) state.setSubscriptions(APP, "a", MANY + more, true);
      await opened.advance(COUNT_WINDOW_MS);
      for (const more of [4, 3]) state.setSubscriptions(APP, "a", MANY + more, true);
      await opened.advance(COUNT_WINDOW_MS);
      state.setSubscriptions(APP, "a", MANY + 5, true);
      await opened.advance(COUNT_WINDOW_MS);
      await opened.advance(COUNT_WINDOW_MS);
      const told = [MANY, MANY + 3, MANY + 5];
      await expectAnnounced(
        opened,
        told.map((subscriptions) => announced.subscriptionCount("a", subscriptions)),
      );
      await expectEvents(opened, "a", [occupied("a"), ...told.map((each) => count("a", each))]);
    },
  );

  rule("a count that falls to 100 is told at once, and its window with it", async (opened) => {
    const { state } = opened;
    state.setSubscriptions(APP, "a", MANY + 9, true);
    state.setSubscriptions(APP, "a", MANY, true);
    await opened.advance(COUNT_WINDOW_MS);
    await expectEvents(opened, "a", [occupied("a"), count("a", MANY)]);
  });

  rule("no count is told where none is wanted", async (opened) => {
    opened.state.setSubscriptions(APP, "a", 5, false);
    opened.state.setSubscriptions(APP, "a", MANY + 5, false);
    await opened.advance(COUNT_WINDOW_MS);
    await expectEvents(opened, "a", [occupied("a")]);
    assert.deepEqual(opened.announced(), []);
  });
}

function userRules(rule: Rule): void {
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

async function opened(
  t: TestContext,
  open: () => ChannelStateUnderTest | Promise<ChannelStateUnderTest>,
): Promise<ChannelStateUnderTest> {
  const result = await open();
  t.after(() => result.state.close());
  return result;
}

/** Fails unless exactly these were appended: a marker recorded last shows that nothing else is on its way. */
async function expectEvents(
  { state, appended }: ChannelStateUnderTest,
  channel: string,
  expected: readonly string[],
  appId = APP,
  name = "end",
): Promise<void> {
  state.record(appId, channel, { type: "client_event", json: marker(name) });
  const events = await until(`${channel} has the marker ${name}`, async () => {
    const found = await appended(appId, channel);
    return found.includes(marker(name)) && found;
  });
  assert.deepEqual(events, [...expected, marker(name)]);
}

async function expectAnnounced(
  { announced: told }: ChannelStateUnderTest,
  expected: readonly string[],
): Promise<void> {
  await until(
    `${expected.length} announcements have been made`,
    () => told().length >= expected.length,
  );
  assert.deepEqual(told(), expected);
}

async function addAndThen(state: ChannelState, userId: string, check: () => void): Promise<void> {
  await state.addMember(APP, ROOM, member(userId), Infinity);
  check();
}

/** The members that somebody knows who heard every announcement. */
function membersTold(told: readonly string[], channel: string): string {
  const present = new Set<string>();
  for (const text of told) {
    const [where, change = ""] = text.split(" ");
    if (where !== channel) continue;
    if (change.startsWith("+")) present.add(change.slice(1));
    else present.delete(change.slice(1));
  }
  return [...present].sort().join();
}

function member(userId: string, userInfoJson = "{}"): PresenceMember {
  return { userId, userInfoJson };
}

// The events are written out here: the receivers' libraries know these bytes, not our builders.
function occupied(channel: string): string {
  return `{"name":"channel_occupied","channel":"${channel}"}`;
}

function vacated(channel: string): string {
  return `{"name":"channel_vacated","channel":"${channel}"}`;
}

function added(channel: string, userId: string): string {
  return `{"name":"member_added","channel":"${channel}","user_id":"${userId}"}`;
}

function removed(channel: string, userId: string): string {
  return `{"name":"member_removed","channel":"${channel}","user_id":"${userId}"}`;
}

function count(channel: string, subscriptions: number): string {
  return `{"name":"subscription_count","channel":"${channel}","subscription_count":${subscriptions}}`;
}

function marker(name: string): string {
  return JSON.stringify({ marker: name });
}
