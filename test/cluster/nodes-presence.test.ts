/** A presence channel with members on several nodes: one list, each change told once. protocol.md §2.4. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PresenceChannel } from "pusher-js";
import { sendSubscribe, subscribe } from "../support/commands.ts";
import { nodeAt, readFrom, startNodes } from "../support/nodes.ts";
import type { Pipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const ROOM = "presence-room";

async function joinRoom(node: Pipit, userId: string) {
  const client = await node.connect({ userId, userInfo: { name: userId.toUpperCase() } });
  const room = (await client.subscribe(ROOM)) as PresenceChannel;
  const ids = () => Object.keys(room.members.members as Record<string, unknown>).toSorted();
  return { client, room, ids };
}

/** `added ann`, in the order in which the socket was told. */
function changes(socket: RawSocket): readonly string[] {
  return socket.frames
    .filter(({ event }) => event.startsWith("pusher_internal:member_"))
    .map(({ event, data }) => `${event.slice(23)} ${JSON.parse(data as string).user_id}`);
}

test("members on three nodes see one list, with the info that each came with", async (t) => {
  const cluster = await startNodes(t, 3);
  const members = await Promise.all(
    ["ann", "bob", "cid"].map((userId, n) => joinRoom(nodeAt(cluster, n), userId)),
  );
  for (const { ids, room } of members) {
    await until("all three are in the list", () => ids().length === 3);
    assert.deepEqual(ids(), ["ann", "bob", "cid"]);
    assert.equal(room.members.count, 3);
    assert.deepEqual(room.members.get("bob"), { id: "bob", info: { name: "BOB" } });
  }
  members[1]?.client.pusher.disconnect();
  for (const { ids } of [members[0], members[2]].filter((one) => one !== undefined)) {
    await until("Bob has left the list", () => ids().length === 2);
    assert.deepEqual(ids(), ["ann", "cid"]);
  }
});

test("each change is told once on every node, whichever nodes a user's tabs are on", async (t) => {
  const cluster = await startNodes(t, 3);
  const [a, b, c] = [nodeAt(cluster, 0), nodeAt(cluster, 1), nodeAt(cluster, 2)];
  const watchers = [await a.raw(), await b.raw(), await c.raw()];
  for (const [n, watcher] of watchers.entries())
    await subscribe(watcher, ROOM, { user_id: `w${n}` });
  for (const watcher of watchers.slice(0, 2)) {
    await until("all watchers are known", () => changes(watcher).includes("added w2"));
  }
  const tabs = [await a.raw(), await b.raw(), await b.raw()];
  for (const tab of tabs) await subscribe(tab, ROOM, { user_id: "ann" });
  const [first, second, third] = tabs;
  first?.destroy();
  second?.destroy();
  const bob = await c.raw();
  await subscribe(bob, ROOM, { user_id: "bob" });
  const stillThere = (await readFrom(c, `/channels/${ROOM}`, {
    info: "user_count",
  })) as { user_count: number };
  assert.equal(stillThere.user_count, 5);
  third?.destroy();
  for (const watcher of watchers) {
    await until("Ann has gone", () => changes(watcher).includes("removed ann"));
    assert.deepEqual(
      changes(watcher).filter((change) => !/ w\d$/.test(change)),
      ["added ann", "added bob", "removed ann"],
    );
  }
});

test("a joiner's list has everybody, and no later frame tells of one whom it has", async (t) => {
  const cluster = await startNodes(t, 2);
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const crowd = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const socket = await (n % 2 === 0 ? a : b).raw();
      const joined = await subscribe(socket, ROOM, { user_id: `u${n}` });
      const { presence } = JSON.parse(joined.data as string) as { presence: { ids: string[] } };
      return { socket, listed: presence.ids };
    }),
  );
  const everybody = crowd.map((_, n) => `u${n}`).toSorted();
  for (const { socket, listed } of crowd) {
    await until("it knows everybody", () => listed.length + changes(socket).length >= 20);
    const added = changes(socket).map((change) => change.slice("added ".length));
    assert.deepEqual([...listed, ...added].toSorted(), everybody);
  }
});

test("the cap counts users of all nodes, and refuses nobody who is in already", async (t) => {
  const cluster = await startNodes(t, 2, { app: { max_presence_members_per_channel: 2 } });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  await subscribe(await a.raw(), ROOM, { user_id: "ann" });
  await subscribe(await b.raw(), ROOM, { user_id: "bob" });
  const refused = await b.raw();
  await sendSubscribe(refused, ROOM, { user_id: "cid" });
  const { data } = await refused.frame(
    "it is refused",
    ({ event }) => event === "pusher:subscription_error",
  );
  assert.match(JSON.stringify(data), /LimitReached/);
  await subscribe(await b.raw(), ROOM, { user_id: "ann" });
  const { users } = (await readFrom(a, `/channels/${ROOM}/users`)) as { users: { id: string }[] };
  assert.deepEqual(users.map(({ id }) => id).toSorted(), ["ann", "bob"]);
});
