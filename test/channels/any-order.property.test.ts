/** Random clients against drivers that answer late and in any order: whatever happens, the books are right. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type ChannelsNode,
  type Client,
  createChannelsNode,
  dataOf,
} from "../support/channels-node.ts";
import { createDelayedAdapter } from "../support/delayed-adapter.ts";
import { createDelayedCacheStore } from "../support/delayed-cache-store.ts";
import { createDelayedCalls, createSeededRandom } from "../support/delayed-calls.ts";
import { createDelayedChannelState } from "../support/delayed-channel-state.ts";
import type { ReceivedFrame } from "../support/fake-sockets.ts";
import { until } from "../support/until.ts";

const ROUNDS = 12;
const STEPS_PER_ROUND = 60;
const CLIENTS = 6;
const CHANNELS = ["room", "private-room", "cache-room", "presence-room", "presence-cache-room"];

/** A client, what it wants, and what it believes, as a client library would. */
interface Player {
  client: Client;
  userId: string;
  wanted: Set<string>;
  /** By channel, since the last subscribe that was not a repeat: how many answers came. */
  answers: Map<string, number>;
  /** By presence channel: who is there. */
  members: Map<string, Set<string>>;
}

function openPlayer(node: ChannelsNode, userId: string): Player {
  return {
    client: node.connect(),
    userId,
    wanted: new Set(),
    answers: new Map(),
    members: new Map(),
  };
}

/** Lets the player read what has come, and fails on whatever no client should be told. */
function read(player: Player): void {
  for (const frame of player.client.take()) believe(player, frame);
}

function believe({ answers, members, wanted }: Player, frame: ReceivedFrame): void {
  const { event, channel = "" } = frame;
  const context = JSON.stringify(frame);
  if (event === "pusher_internal:subscription_succeeded") {
    answers.set(channel, (answers.get(channel) ?? 0) + 1);
    if (!channel.startsWith("presence-")) return;
    const { presence } = dataOf(frame) as { presence: { ids: string[]; count: number } };
    members.set(channel, new Set(presence.ids));
    assert.equal(presence.count, presence.ids.length, context);
    return;
  }
  if (!event.startsWith("pusher_internal:member_")) {
    assert.ok(event === "e" || event === "pusher:cache_miss", `unexpected: ${context}`);
    assert.ok(wanted.has(channel), `of a channel that was left: ${context}`);
    return;
  }
  const known = members.get(channel);
  assert.ok(known !== undefined, `before the answer: ${context}`);
  const { user_id: userId } = dataOf(frame) as { user_id: string };
  if (event.endsWith("added")) {
    assert.ok(!known.has(userId), `known already: ${context}`);
    known.add(userId);
  } else {
    assert.ok(known.delete(userId), `not known: ${context}`);
  }
}

function subscribe(player: Player, channel: string): void {
  if (player.wanted.has(channel)) return;
  player.wanted.add(channel);
  player.answers.set(channel, 0);
  player.members.delete(channel);
  const member = { user_id: player.userId };
  player.client.subscribe(channel, channel.startsWith("presence-") ? member : undefined);
}

function unsubscribe(player: Player, channel: string): void {
  // Read first: what has arrived by now came while the channel was wanted.
  read(player);
  player.wanted.delete(channel);
  player.client.unsubscribe(channel);
}

function assertTruth(node: ChannelsNode, players: readonly Player[]): void {
  for (const channel of CHANNELS) {
    const inside = players.filter(({ wanted }) => wanted.has(channel));
    const isPresence = channel.startsWith("presence-");
    const users = isPresence ? new Set(inside.map(({ userId }) => userId)) : new Set<string>();
    const expected = { subscriptions: inside.length, users: users.size };
    assert.deepEqual(node.state.channel("3", channel), expected, channel);
    assert.equal(node.heard.has(`3:${channel}`), inside.length > 0, channel);
    for (const { answers, members } of inside) {
      assert.equal(answers.get(channel), 1, `answers on ${channel}`);
      if (isPresence) assert.deepEqual(members.get(channel), users, channel);
    }
  }
}

for (const seed of [Date.now() % 1_000_000, 1, 2]) {
  test(`random clients of late drivers find and leave everything as it should be (seed ${seed})`, async () => {
    const random = createSeededRandom(seed);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const calls = createDelayedCalls(random, 4);
    const node = createChannelsNode({
      wrapAdapter: (inner) => createDelayedAdapter(inner, calls),
      wrapState: (inner) => createDelayedChannelState(inner, calls),
      wrapCache: (inner) => createDelayedCacheStore(inner, calls),
    });
    const players = Array.from({ length: CLIENTS }, (_, n) => openPlayer(node, `u${n % 4}`));

    async function rest(): Promise<void> {
      await until("every subscribe is answered", async () => {
        await calls.settled();
        return players.every(({ client }) =>
          (client.connection.subscriptions?.all() ?? []).every(({ status }) => status === "joined"),
        );
      });
      for (const player of players) read(player);
    }

    for (let round = 0; round < ROUNDS; round++) {
      for (let step = 0; step < STEPS_PER_ROUND; step++) {
        const at = Math.floor(random() * players.length);
        const player = players[at] as Player;
        const channel = pick(CHANNELS);
        const dice = random();
        if (dice < 0.5) subscribe(player, channel);
        else if (dice < 0.8) unsubscribe(player, channel);
        else if (dice < 0.9) {
          const event = { eventJson: '"e"', channels: [channel], dataJson: '"d"' };
          void node.channels.publish(node.app, [{ ...event, exceptSocketId: undefined }]);
        } else {
          player.client.socket.leave();
          players[at] = openPlayer(node, player.userId);
        }
        if (random() < 0.3) await nextTurn();
        if (random() < 0.1) await calls.ask("a while", () => undefined);
      }
      await rest();
      assertTruth(node, players);
    }

    for (const { client } of players) client.socket.leave();
    await calls.settled();
    assert.equal(node.locals.size, 0);
    assert.equal(node.heard.size, 0);
    node.advance(5_000);
    assert.deepEqual(node.state.sizes(), { channels: 0, users: 0, pending: 0 });
  });
}
