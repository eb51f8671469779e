/** A user whose connections are on several nodes: messages, termination, who is online. protocol.md §4. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_PARTITIONS, partitionOf } from "../../src/protocol/partition.ts";
import { USER_CHANNEL_PREFIX } from "../../src/protocol/topic.ts";
import { signIn } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { metricOf, nodeAt, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

interface WatchlistEvent {
  readonly name: string;
  readonly user_ids: readonly string[];
}

test("what is sent to a user comes once to each of its sockets, on whichever nodes", async (t) => {
  const cluster = await startNodes(t, 3);
  const [a, b, c] = [nodeAt(cluster, 0), nodeAt(cluster, 1), nodeAt(cluster, 2)];
  const sockets = [await a.raw(), await a.raw(), await b.raw()];
  for (const socket of sockets) await signIn(socket, { id: "ann" });
  const other = await b.raw();
  await signIn(other, { id: "bob" });
  for (const node of cluster.nodes) await node.pusher.sendToUser("ann", "greeting", { hello: 1 });
  const greetings = (socket: RawSocket) =>
    socket.frames.filter(({ event }) => event === "greeting").length;
  for (const socket of sockets) {
    await until("all three have come", () => greetings(socket) >= 3);
  }
  await c.pusher.sendToUser("bob", "last", {});
  await other.frame("Bob hears his own", ({ event }) => event === "last");
  assert.deepEqual(sockets.map(greetings), [3, 3, 3]);
  assert.equal(greetings(other), 0);
  assert.equal(await metricOf(c, "node_messages_delivered_total"), 0, "nobody is there on c");
});

test("terminating a user closes its connections on every node and nobody else's", async (t) => {
  const cluster = await startNodes(t, 2);
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const sockets = [await a.raw(), await b.raw(), await b.raw()];
  for (const socket of sockets) await signIn(socket, { id: "ann" });
  const other = await b.raw();
  await signIn(other, { id: "bob" });
  const { status } = await sendSigned(a.port, { path: "/users/ann/terminate_connections" });
  assert.equal(status, 200);
  for (const socket of sockets) await until("it is closed", () => socket.closed);
  assert.deepEqual(
    sockets.map(({ closed }) => closed?.code),
    [4009, 4009, 4009],
  );
  await other.settled();
  assert.equal(other.closed, undefined);
});

test("a watcher on one node hears a user come and go on others, once each", async (t) => {
  const cluster = await startNodes(t, 3, { app: { enable_watchlist_events: true } });
  const [a, b, c] = [nodeAt(cluster, 0), nodeAt(cluster, 1), nodeAt(cluster, 2)];
  const eve = await c.raw();
  await signIn(eve, { id: "eve" });
  const ann = await a.connect({ userId: "ann", watchlist: ["bob", "eve"] });
  const heard: string[] = [];
  for (const name of ["online", "offline"]) {
    ann.pusher.user.watchlist.bind(name, ({ user_ids }: WatchlistEvent) =>
      heard.push(`${name} ${user_ids.join()}`),
    );
  }
  ann.pusher.signin();
  await until("she is told who is there", () => heard.length === 2);
  const tabs = [await b.raw(), await c.raw()];
  for (const tab of tabs) await signIn(tab, { id: "bob" });
  await until("Bob is online", () => heard.length === 3);
  for (const tab of tabs) tab.destroy();
  await until("Bob is offline", () => heard.length === 4);
  eve.destroy();
  await until("Eve is offline", () => heard.length === 5);
  assert.deepEqual(heard, [
    "online eve",
    "offline bob",
    "online bob",
    "offline bob",
    "offline eve",
  ]);
});

test("a watched user who returns on another node within the grace was never away", async (t) => {
  const cluster = await startNodes(t, 2, { app: { enable_watchlist_events: true } });
  const [a, b] = [nodeAt(cluster, 0), nodeAt(cluster, 1)];
  const zoe = userBeside("bob");
  const ann = await a.connect({ userId: "ann", watchlist: ["bob", zoe] });
  const heard: string[] = [];
  for (const name of ["online", "offline"]) {
    ann.pusher.user.watchlist.bind(name, ({ user_ids }: WatchlistEvent) =>
      heard.push(`${name} ${user_ids.join()}`),
    );
  }
  ann.pusher.signin();
  await until("she is told that both are away", () => heard.length === 1);
  const before = await a.raw();
  await signIn(before, { id: "bob" });
  await until("Bob is online", () => heard.length === 2);
  before.destroy();
  await signIn(await b.raw(), { id: "bob" });
  // She leaves later than Bob did, and both leaves wait in one place: once hers is told, his would have been.
  const other = await b.raw();
  await signIn(other, { id: zoe });
  other.destroy();
  await until("Zoe has come and gone", () => heard.length === 4);
  assert.deepEqual(heard.slice(1), ["online bob", `online ${zoe}`, `offline ${zoe}`]);
});

/** A user whose state is kept in the same partition. */
function userBeside(userId: string): string {
  const partition = (id: string) => {
    return partitionOf(APP.id, USER_CHANNEL_PREFIX + id, DEFAULT_PARTITIONS);
  };
  for (let n = 0; ; n++) if (partition(`zoe-${n}`) === partition(userId)) return `zoe-${n}`;
}
