/** Who of a user's watchlist is online. protocol.md §4.3. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { errorsOf, signIn, subscribe } from "../support/commands.ts";
import { startPipit } from "../support/pipit.ts";
import type { RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

interface WatchlistEvent {
  readonly name: string;
  readonly user_ids: readonly string[];
}

/** Every entry of every watchlist frame so far, as `online bob,eve`. */
function watched(socket: RawSocket): readonly string[] {
  return socket.frames
    .filter(({ event }) => event === "pusher_internal:watchlist_events")
    .flatMap(({ data }) => (JSON.parse(data as string) as { events: WatchlistEvent[] }).events)
    .map(({ name, user_ids }) => `${name} ${user_ids.join()}`);
}

test("after signin_success one frame tells who is online and who is not", async (t) => {
  const pipit = await startPipit(t, { enable_watchlist_events: true });
  const bob = await pipit.raw();
  await signIn(bob, { id: "bob" });
  const ann = await pipit.raw();
  await signIn(ann, { id: "ann", watchlist: ["eve", "bob", "dan", "bob"] });
  await until("the status comes", () => watched(ann).length > 0);
  assert.deepEqual(watched(ann), ["online bob", "offline eve,dan"]);
  const events = ann.frames.map(({ event }) => event);
  assert.deepEqual(events.slice(1), ["pusher:signin_success", "pusher_internal:watchlist_events"]);
});

test("a group without users is left out, and an empty watchlist sends no frame", async (t) => {
  const pipit = await startPipit(t, { enable_watchlist_events: true });
  const bob = await pipit.raw();
  await signIn(bob, { id: "bob", watchlist: [] });
  const ann = await pipit.raw();
  await signIn(ann, { id: "ann", watchlist: ["bob"] });
  await until("the status comes", () => watched(ann).length > 0);
  await bob.settled();
  assert.deepEqual(watched(ann), ["online bob"]);
  assert.deepEqual(watched(bob), []);
});

test("pusher-js hears a watched user come with the first connection and go with the last", async (t) => {
  const pipit = await startPipit(t, { enable_watchlist_events: true });
  const ann = await pipit.connect({ userId: "ann", watchlist: ["bob"] });
  const heard: string[] = [];
  for (const name of ["online", "offline"]) {
    ann.pusher.user.watchlist.bind(name, ({ user_ids }: WatchlistEvent) =>
      heard.push(`${name} ${user_ids.join()}`),
    );
  }
  ann.pusher.signin();
  await until("Bob is offline", () => heard.length === 1);
  const tabs = [await pipit.raw(), await pipit.raw()];
  for (const tab of tabs) await signIn(tab, { id: "bob" });
  await until("Bob is online", () => heard.length === 2);
  // Presence in a channel is not being online.
  const member = await pipit.raw();
  await subscribe(member, "presence-room", { user_id: "bob" });
  for (const tab of tabs) tab.destroy();
  await until("Bob is offline again", () => heard.length === 3);
  assert.deepEqual(heard, ["offline bob", "online bob", "offline bob"]);
});

test("a watched user who returns within the grace was never away", async (t) => {
  const pipit = await startPipit(t, { enable_watchlist_events: true });
  const ann = await pipit.raw();
  await signIn(ann, { id: "ann", watchlist: ["bob", "zoe"] });
  const bob = await pipit.raw();
  await signIn(bob, { id: "bob" });
  bob.destroy();
  const again = await pipit.raw();
  await signIn(again, { id: "bob" });
  // Zoe comes and goes after Bob: when her leave is told, Bob's would have been.
  const zoe = await pipit.raw();
  await signIn(zoe, { id: "zoe" });
  zoe.destroy();
  await until("Zoe's leave is told", () => watched(ann).includes("offline zoe"));
  assert.deepEqual(watched(ann), ["offline bob,zoe", "online bob", "online zoe", "offline zoe"]);
});

test("of a longer watchlist the first 100 are watched and 4302 says so", async (t) => {
  const pipit = await startPipit(t, { enable_watchlist_events: true });
  const ids = Array.from({ length: 130 }, (_, n) => `user-${n}`);
  const last = await pipit.raw();
  await signIn(last, { id: "user-100" });
  const ann = await pipit.raw();
  await signIn(ann, { id: "ann", watchlist: ids });
  await until("the status comes", () => watched(ann).length > 0);
  assert.deepEqual(watched(ann), [`offline ${ids.slice(0, 100).join()}`]);
  assert.deepEqual(
    errorsOf(ann).map(({ code }) => code),
    [4302],
  );
  assert.equal(ann.closed, undefined);
});

test("without enable_watchlist_events a watchlist is taken and nothing is told", async (t) => {
  const pipit = await startPipit(t);
  const ann = await pipit.raw();
  const watchlist = Array.from({ length: 130 }, (_, n) => `user-${n}`);
  await signIn(ann, { id: "ann", watchlist });
  const bob = await pipit.raw();
  await signIn(bob, { id: "user-1" });
  await ann.settled();
  assert.deepEqual(watched(ann), []);
  assert.deepEqual(errorsOf(ann), []);
});

test("a later sign-in replaces the watchlist", async (t) => {
  const pipit = await startPipit(t, { enable_watchlist_events: true });
  const ann = await pipit.raw();
  await signIn(ann, { id: "ann", watchlist: ["bob"] });
  await until("the first status comes", () => watched(ann).length === 1);
  await signIn(ann, { id: "ann", watchlist: ["eve"] });
  await until("the second status comes", () => watched(ann).length === 2);
  for (const id of ["bob", "eve"]) await signIn(await pipit.raw(), { id });
  await until("Eve comes", () => watched(ann).length === 3);
  assert.deepEqual(watched(ann), ["offline bob", "offline eve", "online eve"]);
});
