import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createMirror, type Mirror } from "../../src/channel-state/redis-mirror.ts";
import type { Roster } from "../../src/channel-state/redis-roster.ts";
import {
  createRedisStateCounters,
  REDIS_STATE_DEFAULTS,
  type RedisStateCounters,
  type StateRedis,
} from "../../src/channel-state/redis-state-context.ts";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { until } from "../support/until.ts";

const EPOCH = 7;

interface Opened {
  readonly mirror: Mirror;
  readonly counters: RedisStateCounters;
  /** What sockets were told. */
  readonly told: readonly string[];
  /** Readings that wait for their answer. */
  readonly readings: ((roster: Partial<Roster> | Error) => void)[];
}

/** A mirror whose topic is heard, and whose readings the test answers. */
async function open(t: TestContext): Promise<Opened> {
  const counters = createRedisStateCounters();
  const told: string[] = [];
  const readings: Opened["readings"] = [];
  const bus = { subscribe: async () => {}, unsubscribe() {} } as Partial<StateRedis["bus"]>;
  const mirror = createMirror({
    context: {
      redis: { bus } as StateRedis,
      nodeName: "n",
      settings: { ...REDIS_STATE_DEFAULTS, versionWaitMs: 20, firstRetryMs: 1, longestRetryMs: 1 },
      counters,
      announce: {} as never,
      now: Date.now,
      random: () => 0,
      log: SILENT_LOG,
    },
    topic: "t",
    read: () =>
      new Promise((resolve, reject) => {
        readings.push((roster) => {
          if (roster instanceof Error) reject(roster);
          else resolve({ epoch: EPOCH, restoreMs: 0, version: 0, members: new Map(), ...roster });
        });
      }),
    confirmEpoch: (epoch) => epoch === EPOCH,
    memberAdded: (userId, info) => told.push(`+${userId} ${info}`),
    memberRemoved: (userId) => told.push(`-${userId}`),
  });
  t.after(() => mirror.close());
  mirror.open();
  await until("the list is read", () => readings.length === 1);
  return { mirror, counters, told, readings };
}

async function answer({ readings }: Opened, roster: Partial<Roster> | Error): Promise<void> {
  const reading = readings.shift();
  assert.ok(reading, "nothing is read");
  reading(roster);
  await new Promise(setImmediate);
}

const members = (...userIds: string[]) => new Map(userIds.map((userId) => [userId, "{}"]));

function come(previous: number, version: number, userId: string) {
  return { previous, version, userId, userInfoJson: "{}" };
}

function go(previous: number, version: number, userId: string) {
  return { previous, version, userId, userInfoJson: undefined };
}

test("changes heard while the list is read are applied when they are newer than it", async (t) => {
  const opened = await open(t);
  const { mirror, told } = opened;
  mirror.hear(come(0, 5, "old"));
  mirror.hear(go(5, 6, "old"));
  mirror.hear(come(6, 8, "new"));
  assert.deepEqual(told, []);
  await answer(opened, { version: 6, members: members("present") });
  assert.deepEqual([...mirror.members.keys()], ["present", "new"]);
  assert.deepEqual(told, ["+present {}", "+new {}"]);
});

test("a change that was missed is found in the list, and nothing is told twice", async (t) => {
  const opened = await open(t);
  const { mirror, told, counters } = opened;
  await answer(opened, { version: 1, members: members("u1") });
  mirror.hear(go(2, 3, "u1"));
  assert.deepEqual([...mirror.members.keys()], ["u1"], "until it is known what has happened");
  await answer(opened, { version: 3, members: members("u2") });
  mirror.hear(go(2, 3, "u1"));
  mirror.hear(come(1, 2, "u2"));
  mirror.hear(come(3, 4, "u3"));
  assert.deepEqual(told, ["+u1 {}", "-u1", "+u2 {}", "+u3 {}"]);
  assert.equal(counters.rosterGaps, 1);
});

test("a list that begins anew follows an empty one whatever its version", async (t) => {
  const opened = await open(t);
  await answer(opened, { version: 4, members: members("u1") });
  opened.mirror.hear(go(4, 5, "u1"));
  opened.mirror.hear(come(0, 900, "u2"));
  assert.deepEqual(opened.told, ["+u1 {}", "-u1", "+u2 {}"]);
  assert.equal(opened.readings.length, 0);
});

test("who has come back with other info unheard is told as gone and come", async (t) => {
  const opened = await open(t);
  await answer(opened, { version: 1, members: members("u1", "u2") });
  opened.mirror.reload();
  await answer(opened, {
    version: 3,
    members: new Map([
      ["u1", '{"tab":2}'],
      ["u2", "{}"],
    ]),
  });
  assert.deepEqual(opened.told, ["+u1 {}", "+u2 {}", "-u1", '+u1 {"tab":2}']);
});

test("an awaited version that does not come is looked up", async (t) => {
  const opened = await open(t);
  await answer(opened, { version: 1, members: members("u1") });
  let isPresent = false;
  opened.mirror.whenPresent("u2", 2, () => {
    isPresent = true;
  });
  await until("the list is read", () => opened.readings.length === 1);
  assert.equal(isPresent, false);
  await answer(opened, { version: 2, members: members("u1", "u2") });
  assert.equal(isPresent, true);
  assert.equal(opened.counters.versionWaits, 1);
});

test("a later version that lacks the user is not what was awaited", async (t) => {
  const opened = await open(t);
  await answer(opened, { version: 9, members: members("u1") });
  let isPresent = false;
  opened.mirror.whenPresent("u2", 2, () => {
    isPresent = true;
  });
  assert.equal(isPresent, false);
  opened.mirror.hear(come(9, 10, "u2"));
  assert.equal(isPresent, true);
});

/** The list as the room above takes it once the user is present: a few microtasks later. */
function takeWhenPresent(mirror: Mirror, userId: string, version: number): Promise<string[]> {
  return new Promise((resolve) => {
    mirror.whenPresent(userId, version, () => {
      void Promise.resolve()
        .then(() => {})
        .then(() => resolve([...mirror.members.keys()]));
    });
  });
}

test("the list stands still until whoever waited for it has taken it", async (t) => {
  const opened = await open(t);
  const { mirror } = opened;
  await answer(opened, { version: 1, members: members("u1") });
  const taken = takeWhenPresent(mirror, "u2", 2);
  mirror.hear(come(1, 2, "u2"));
  mirror.hear(go(2, 3, "u2"));
  assert.deepEqual(await taken, ["u1", "u2"]);
  await until("the change is applied", () => !mirror.members.has("u2"));
});

for (const news of ["a change", "a list that was read"]) {
  test(`${news} that takes the user away waits for one who found him present at once`, async (t) => {
    const opened = await open(t);
    const { mirror, readings } = opened;
    await answer(opened, { version: 2, members: members("u1", "u2") });
    mirror.reload();
    await until("the list is read again", () => readings.length === 1);
    if (news === "a change") await answer(opened, { version: 2, members: members("u1", "u2") });
    const taken = takeWhenPresent(mirror, "u2", 2);
    if (news === "a change") mirror.hear(go(2, 3, "u2"));
    else readings.shift()?.({ version: 3, members: members("u1") });
    assert.deepEqual(await taken, ["u1", "u2"]);
    await until("it is applied", () => !mirror.members.has("u2"));
    mirror.hear(come(3, 4, "u3"));
    assert.deepEqual([...mirror.members.keys()], ["u1", "u3"], "and what follows too");
  });
}

test("a list of another epoch is not believed, and read again", async (t) => {
  const opened = await open(t);
  await answer(opened, { version: 1, members: members("u1") });
  opened.mirror.reload();
  await answer(opened, { epoch: EPOCH + 1 });
  assert.deepEqual(opened.told, ["+u1 {}"]);
  await until("the list is read again", () => opened.readings.length === 1);
  await answer(opened, { version: 2, members: members("u1") });
  assert.deepEqual(opened.told, ["+u1 {}"]);
  assert.equal(opened.counters.foreignEpochs, 1);
});

test("after a loss who is missing is not gone until the time to come back is over", async (t) => {
  const opened = await open(t);
  await answer(opened, { version: 1, members: members("u1", "u2") });
  opened.mirror.reload();
  await answer(opened, { version: 2, members: members("u3"), restoreMs: 30 });
  assert.deepEqual([...opened.mirror.members.keys()], ["u1", "u2", "u3"]);
  opened.mirror.hear(come(2, 3, "u1"));
  await until("the list is read again", () => opened.readings.length === 1);
  await answer(opened, { version: 3, members: members("u1", "u3") });
  assert.deepEqual(opened.told, ["+u1 {}", "+u2 {}", "+u3 {}", "-u2"]);
});

test("more changes than can be kept while the list is read are read as a list", async (t) => {
  const opened = await open(t);
  for (let n = 1; n <= 1_500; n++) opened.mirror.hear(come(n - 1, n, `u${n}`));
  await answer(opened, { version: 1, members: members("u1") });
  await until("the list is read again", () => opened.readings.length === 1);
  await answer(opened, { version: 1_500, members: members("u1", "u1500") });
  assert.deepEqual([...opened.mirror.members.keys()], ["u1", "u1500"]);
  assert.equal(opened.counters.rosterOverflows, 1);
});

test("a reading that fails is repeated", async (t) => {
  const opened = await open(t);
  await answer(opened, new Error("Redis is away."));
  await until("the list is read again", () => opened.readings.length === 1);
  await answer(opened, { version: 1, members: members("u1") });
  assert.deepEqual(opened.told, ["+u1 {}"]);
});
