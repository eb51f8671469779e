/** Random connections come, go and let time pass; after each step the memory driver must agree with the model. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  COUNT_EVERY_CHANGE_UP_TO,
  COUNT_WINDOW_MS,
  LEAVE_GRACE_MS,
} from "../../src/channel-state/channel-state.ts";
import { channelKind } from "../../src/protocol/channel-name.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { ChannelStateModel } from "./channel-state-model.ts";
import { type OpenedMemoryState, openMemoryState } from "./memory-state.ts";

const APP = "1";
const CHANNELS = [
  "public",
  "cache-a",
  "private-a",
  "private-encrypted-a",
  "presence-a",
  "presence-cache-b",
  "presence-c",
];
const USERS = ["u1", "u2", "u3"];
const CONNECTIONS = 8;
const RUNS = 40;
const STEPS = 400;
const BASE_SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

describe("random subscribes, unsubscribes and disconnects", () => {
  test(`agree with a naive model at every step and leave nothing behind (SEED=${BASE_SEED})`, async (t) => {
    t.diagnostic(`seeds ${BASE_SEED} to ${BASE_SEED + RUNS - 1}`);
    for (let run = 0; run < RUNS; run++) {
      const seed = BASE_SEED + run;
      await runAgainstModel(createSeededRandom(seed), `seed ${seed}`);
    }
  });

  test(`tell each count once, above 100 at most once per window, and end at the truth (SEED=${BASE_SEED})`, () => {
    for (let run = 0; run < RUNS; run++) {
      const seed = BASE_SEED + run;
      runCounts(createSeededRandom(seed), `seed ${seed}`);
    }
  });
});

async function runAgainstModel(random: () => number, where: string): Promise<void> {
  const opened = openMemoryState();
  const { state } = opened;
  const model = new ChannelStateModel();
  await state.watch(APP, USERS);
  for (let step = 0; step < STEPS; step++) {
    const choice = random();
    const id = Math.floor(random() * CONNECTIONS);
    const connection = model.connection(id, pick(random, USERS));
    const channel = pick(random, CHANNELS);
    if (choice < 0.32) {
      connection.channels.add(channel);
      await tellChannel(opened, model, channel, connection.userId, random() < 0.5);
    } else if (choice < 0.64) {
      const left = pick(random, connection.channels.size > 0 ? [...connection.channels] : CHANNELS);
      connection.channels.delete(left);
      await tellChannel(opened, model, left, connection.userId, random() < 0.5);
    } else if (choice < 0.72) {
      connection.isSignedIn = true;
      state.setUserConnections(APP, connection.userId, model.signedIn(connection.userId), true);
    } else if (choice < 0.86) {
      await disconnect(opened, model, id, random);
    } else {
      // Often exactly the grace, so that due times are hit to the millisecond.
      opened.advance(random() < 0.3 ? LEAVE_GRACE_MS : Math.floor(random() * LEAVE_GRACE_MS));
    }
    await compare(opened, model, `${where}, step ${step}`);
  }
  for (const id of model.openIds()) await disconnect(opened, model, id, random);
  await compare(opened, model, `${where}, all left`);
  opened.advance(LEAVE_GRACE_MS);
  await compare(opened, model, `${where}, all graces over`);
  state.unwatch(APP, USERS);
  assert.deepEqual(state.sizes(), { channels: 0, users: 0, pending: 0 }, where);
  assertOrderOfTransitions(opened, where);
}

/** As the room above does it, in either order. */
async function tellChannel(
  { state }: OpenedMemoryState,
  model: ChannelStateModel,
  channel: string,
  userId: string,
  subscriptionsFirst: boolean,
): Promise<void> {
  const tellSubscriptions = () =>
    state.setSubscriptions(APP, channel, model.subscriptions(channel), false);
  if (subscriptionsFirst) tellSubscriptions();
  if (channelKind(channel).hasMembers) {
    if (model.connectionsInChannel(channel, userId) > 0) {
      await state.addMember(APP, channel, { userId, userInfoJson: "{}" }, Infinity);
    } else {
      state.removeMember(APP, channel, userId);
    }
  }
  if (!subscriptionsFirst) tellSubscriptions();
}

async function disconnect(
  opened: OpenedMemoryState,
  model: ChannelStateModel,
  id: number,
  random: () => number,
): Promise<void> {
  const { channels, userId } = model.connection(id, "");
  model.disconnect(id);
  for (const channel of channels) {
    await tellChannel(opened, model, channel, userId, random() < 0.5);
  }
  opened.state.setUserConnections(APP, userId, model.signedIn(userId), true);
}

async function compare(
  opened: OpenedMemoryState,
  model: ChannelStateModel,
  where: string,
): Promise<void> {
  const { state } = opened;
  const nowMs = opened.now();
  const believed = new Set<string>();
  const occupied: string[] = [];
  for (const channel of CHANNELS) {
    const subscriptions = model.subscriptions(channel);
    const users = channelKind(channel).hasMembers ? model.users(channel) : new Set<string>();
    const counts = await state.channel(APP, channel);
    assert.deepEqual(counts, { subscriptions, users: users.size }, `${channel}, ${where}`);
    assert.deepEqual(new Set(state.members(APP, channel).keys()), users, `${channel}, ${where}`);
    if (subscriptions > 0) occupied.push(channel);
    if (model.believe(channel, subscriptions > 0, nowMs)) believed.add(channel);
    for (const userId of USERS) {
      const subject = `${channel} ${userId}`;
      if (model.believe(subject, users.has(userId), nowMs)) believed.add(subject);
    }
  }
  const listed = [...(await state.channels(APP, "")).keys()];
  assert.deepEqual(listed.sort(), occupied.sort(), where);
  assert.deepEqual(toldByEvents(opened, where), believed, where);

  const online = USERS.filter((user) => model.believe(user, model.signedIn(user) > 0, nowMs));
  assert.deepEqual(toldOnline(opened, where), new Set(online), where);
  assert.deepEqual(toldOnlineByEvents(opened, where), new Set(online), where);
}

/** Channels and `channel user` pairs that whoever read all events believes to be there; transitions must alternate. */
function toldByEvents({ log }: OpenedMemoryState, where: string): ReadonlySet<string> {
  const told = new Set<string>();
  for (const { type, channel, json } of log) {
    if (type.startsWith("user")) continue;
    const subject = type.startsWith("member") ? `${channel} ${JSON.parse(json).user_id}` : channel;
    const comes = type === "channel_occupied" || type === "member_added";
    assert.notEqual(told.has(subject), comes, `${type} of ${subject} twice, ${where}`);
    if (comes) told.add(subject);
    else told.delete(subject);
  }
  return told;
}

function toldOnline({ announcements }: OpenedMemoryState, where: string): ReadonlySet<string> {
  const told = new Set<string>();
  for (const { text } of announcements) {
    const [userId = "", change] = text.split(" ");
    if (change !== "online" && change !== "offline") continue;
    assert.notEqual(told.has(userId), change === "online", `${text} twice, ${where}`);
    if (change === "online") told.add(userId);
    else told.delete(userId);
  }
  return told;
}

/** Users whom whoever read all events believes to be online. */
function toldOnlineByEvents({ log }: OpenedMemoryState, where: string): ReadonlySet<string> {
  const told = new Set<string>();
  for (const { type, channel, json } of log) {
    if (!type.startsWith("user")) continue;
    const userId: string = JSON.parse(json).user_id;
    assert.equal(channel, `#server-to-user-${userId}`, where);
    assert.notEqual(told.has(userId), type === "user_online", `${json} twice, ${where}`);
    if (type === "user_online") told.add(userId);
    else told.delete(userId);
  }
  return told;
}

/** Members are added to an occupied channel only, and all are removed before it is vacated. */
function assertOrderOfTransitions({ log }: OpenedMemoryState, where: string): void {
  const members = new Map<string, number>();
  for (const { type, channel } of log) {
    if (type.startsWith("user")) continue;
    if (type === "channel_occupied") members.set(channel, 0);
    const count = members.get(channel);
    assert.notEqual(count, undefined, `${type} in ${channel}, which is not occupied, ${where}`);
    if (type === "member_added") members.set(channel, (count ?? 0) + 1);
    if (type === "member_removed") members.set(channel, (count ?? 0) - 1);
    if (type !== "channel_vacated") continue;
    assert.equal(count, 0, `${channel} vacated before its members were removed, ${where}`);
    members.delete(channel);
  }
}

function runCounts(random: () => number, where: string): void {
  const opened = openMemoryState();
  const { state, announcements, log } = opened;
  let subscriptions = 0;
  for (let step = 0; step < STEPS; step++) {
    if (random() < 0.6) {
      const around = random() < 0.2 ? 0 : COUNT_EVERY_CHANGE_UP_TO - 10;
      subscriptions = around + Math.floor(random() * 30);
      state.setSubscriptions(APP, "a", subscriptions, true);
    } else {
      opened.advance(Math.floor(random() * 2_000));
    }
    if (subscriptions <= COUNT_EVERY_CHANGE_UP_TO) {
      assert.equal(lastTold(opened), subscriptions, `${where}, step ${step}`);
    }
  }
  opened.advance(COUNT_WINDOW_MS);
  assert.equal(lastTold(opened), subscriptions, where);

  let before = { atMs: -Infinity, count: 0 };
  for (const { atMs, text } of announcements) {
    const count = countIn(text);
    assert.notEqual(count, before.count, `${count} told twice in a row, ${where}`);
    if (count > COUNT_EVERY_CHANGE_UP_TO) {
      assert.ok(atMs - before.atMs >= COUNT_WINDOW_MS, `${count} told too soon, ${where}`);
    }
    before = { atMs, count };
  }
  const recorded = log.filter(({ type }) => type === "subscription_count");
  assert.deepEqual(
    recorded.map(({ atMs, json }) => [atMs, JSON.parse(json).subscription_count]),
    announcements.map(({ atMs, text }) => [atMs, countIn(text)]),
    where,
  );
}

function lastTold({ announcements }: OpenedMemoryState): number {
  const last = announcements.at(-1);
  return last ? countIn(last.text) : 0;
}

function countIn(text: string): number {
  return Number(text.slice(text.lastIndexOf(" ") + 1));
}

function pick<T>(random: () => number, choices: readonly T[]): T {
  const chosen = choices[Math.floor(random() * choices.length)];
  assert.ok(chosen !== undefined);
  return chosen;
}
