/** What every driver of ChannelState promises. Each driver's own test file runs this and adds what is its own. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type ChannelState, LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import { membersOf, type PresenceMember } from "../../src/protocol/presence.ts";
import {
  APP,
  added,
  announced,
  type ChannelStateUnderTest,
  count,
  expectAnnounced,
  expectEvents,
  marker,
  occupied,
  removed,
  vacated,
  WITHIN_GRACE_MS,
} from "./channel-state-under-test.ts";
import { onlineUserRules } from "./online-user-rules.ts";
import { snapshotRules } from "./snapshot-rules.ts";
import { subscriptionCountRules } from "./subscription-count-rules.ts";

const ROOM = "presence-room";

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
      state.setUserConnections(APP, "u1", 1, false);
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
        assert.deepEqual([...membersOf(state.members(APP, ROOM))], [["u1", '{"tab":1}']]);
        assert.equal(
          await state.addMember(APP, ROOM, member("u1", '{"tab":2}'), Infinity),
          "added",
        );
        assert.equal(await state.addMember(APP, ROOM, member("u2"), Infinity), "added");
        const expected = [
          ["u1", '{"tab":1}'],
          ["u2", "{}"],
        ];
        assert.deepEqual([...membersOf(state.members(APP, ROOM))], expected);
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

    subscriptionCountRules(rule);
    onlineUserRules(rule);
    snapshotRules(rule);
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
