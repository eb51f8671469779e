/**
 * Members come and go on three nodes at once, while messages get lost and subscriptions are cut: no client is
 * ever told of a member that it has, or of the leave of one that it lacks, and every list is one that was so.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { decodeRosterChange } from "../../src/channel-state/redis-roster.ts";
import type { StateRedis } from "../../src/channel-state/redis-state-context.ts";
import { openRedisState } from "../channel-state/redis-state.ts";
import { openConnections } from "../redis/open-connections.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { differences } from "./state-checks.ts";
import { APP, openStateNode, type StateNode } from "./state-node.ts";

const PARTITIONS = 4;
const CHANNELS = 4;
const USERS = 10;
const ROUNDS = 12;
const CHANGES = 400;
const LOST_MESSAGES = 0.04;
const NEWCOMER = { userId: "newcomer", userInfoJson: "{}" };
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

test(`no client is told what it knows, and every list is one that was so (SEED=${SEED})`, async (t) => {
  const server = await startRedis(t);
  const keyPrefix = "churn:";
  const random = createSeededRandom(SEED);
  const below = (n: number) => Math.floor(random() * n);
  const channels = Array.from({ length: CHANNELS }, (_, n) => `presence-${n}`);

  // Hears everything, and so knows each list that there ever was.
  const lists = new Map(channels.map((channel) => [channel, new Set<string>([listed([])])]));
  const present = new Map(channels.map((channel) => [channel, new Set<string>()]));
  const settings = { url: server.url, keyPrefix, partitions: PARTITIONS };
  const listener = await openConnections(t, settings, ({ bus, keys }) =>
    bus.on("member", (topic, bytes) => {
      const channel = keys.subject(topic).slice(APP.length + 1);
      const change = decodeRosterChange(bytes);
      const users = present.get(channel);
      assert.ok(change && users);
      if (change.userInfoJson === undefined) users.delete(change.userId);
      else users.add(change.userId);
      lists.get(channel)?.add(listed(users));
    }),
  );
  const { bus, keys } = listener;
  await Promise.all(channels.map((channel) => bus.subscribe(keys.topic(APP, channel))));
  const untouched = new Set(await subscribers(server));

  const joinedWith: [string, string][] = [];
  const losing = { isOn: true };
  const nodes = await Promise.all(
    ["one", "two", "three"].map((name) =>
      openStateNode({
        server,
        keyPrefix,
        partitions: PARTITIONS,
        name,
        random,
        // Not for the newcomer, whose coming has to show what was lost, also in a full channel.
        maxMembers: (channel) => (channel === "presence-0" && losing.isOn ? 7 : 100),
        isAnnounced: () => false,
        joined: (channel, list) => joinedWith.push([channel, listed(list.keys())]),
        wrap: (redis) => withLostMessages(redis, losing, random),
      }),
    ),
  );
  const observer = await openRedisState({ server, keyPrefix, partitions: PARTITIONS });
  t.after(() => Promise.all([observer.close(), ...nodes.map(({ opened }) => opened.close())]));

  for (let round = 0; round < ROUNDS; round++) {
    for (let change = 0; change < CHANGES; change++) {
      const node = nodes[below(nodes.length)];
      assert.ok(node);
      churn(node, channels[below(CHANNELS)] ?? "", below);
      // Sometimes many in a turn, sometimes one after the other.
      if (below(3) === 0) await nextTurn();
    }
    if (round % 4 === 1) {
      for (const id of await subscribers(server)) {
        if (!untouched.has(id)) await server.call("CLIENT", "KILL", "ID", id);
      }
    }
    // A loss shows at the next change; Redis loses none on a connection that stands.
    losing.isOn = false;
    for (const channel of channels) nodes[0]?.subscribe(channel, NEWCOMER);
    let found: readonly string[] = [];
    await until("every list equals the truth", async () => {
      found = await differences(observer, nodes);
      return found.length === 0;
    }).catch((error) => assert.fail(`round ${round}: ${found.join("; ")} ${error}`));
    for (const each of nodes[0]?.subscriptions ?? []) {
      if (each.member === NEWCOMER) nodes[0]?.unsubscribe(each);
    }
    losing.isOn = true;
    assert.deepEqual(
      nodes.flatMap(({ complaints }) => complaints),
      [],
      `round ${round}`,
    );
  }

  await until("the listener has heard all", () =>
    joinedWith.every(([channel, list]) => lists.get(channel)?.has(list)),
  ).catch(() => {
    const never = joinedWith.filter(([channel, list]) => !lists.get(channel)?.has(list));
    assert.fail(`Lists that never were: ${JSON.stringify(never.slice(0, 3))}`);
  });
  const sum = (counter: "rosterGaps" | "rosterReads") =>
    nodes.reduce((total, { opened }) => total + opened.state.counters[counter], 0);
  t.diagnostic(
    `${joinedWith.length} lists, ${sum("rosterReads")} read, ${sum("rosterGaps")} gaps noticed`,
  );
  assert.ok(joinedWith.length > 500 && sum("rosterGaps") > 10);
});

async function subscribers(server: RedisServer): Promise<readonly string[]> {
  const clients = String(await server.call("CLIENT", "LIST", "TYPE", "pubsub"));
  return [...clients.matchAll(/^id=(\d+)/gm)].map(([, id]) => id ?? "");
}

function churn(node: StateNode, channel: string, below: (n: number) => number): void {
  const here = [...node.subscriptions].filter((each) => each.channel === channel);
  const leaving = here[below(here.length * 2 || 1)];
  if (leaving) return node.unsubscribe(leaving);
  const userInfoJson = JSON.stringify({ tab: below(3) });
  node.subscribe(channel, { userId: `u${below(USERS)}`, userInfoJson });
}

function listed(userIds: Iterable<string>): string {
  return [...userIds].sort().join();
}

/** Some changes do not arrive, as when a connection is cut. */
function withLostMessages(
  redis: StateRedis,
  losing: { readonly isOn: boolean },
  random: () => number,
): StateRedis {
  const { bus } = redis;
  return {
    ...redis,
    bus: {
      ...bus,
      on(kind, handler) {
        bus.on(kind, (topic, bytes) => {
          const isLost = kind === "member" && losing.isOn && random() < LOST_MESSAGES;
          if (!isLost) handler(topic, bytes);
        });
      },
    },
  };
}
