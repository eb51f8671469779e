/** What the HTTP API tells of channels and users. protocol.md §6.5, §6.6. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { type HttpReply, sendSigned } from "../support/http-request.ts";
import { type Pipit, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

function get(pipit: Pipit, path: string, query: Record<string, string> = {}): Promise<HttpReply> {
  return sendSigned(pipit.port, { method: "GET", path, query });
}

/** Two connections in `room`, three of two users in `presence-room`, one in `private-room`. */
async function populated(pipit: Pipit): Promise<void> {
  const sockets = await Promise.all([pipit.raw(), pipit.raw(), pipit.raw()]);
  for (const [n, socket] of sockets.entries()) {
    if (n < 2) await subscribe(socket, "room");
    const member = { user_id: n === 0 ? "ann" : 7, user_info: { n } };
    await subscribe(socket, "presence-room", member);
    if (n === 2) await subscribe(socket, "private-room");
  }
}

test("channels lists what is occupied, and counts users where the filter asks for presence channels", async (t) => {
  const pipit = await startPipit(t);
  assert.equal((await get(pipit, "/channels")).text, '{"channels":{}}');
  await populated(pipit);
  assert.deepEqual((await get(pipit, "/channels")).json, {
    channels: { room: {}, "presence-room": {}, "private-room": {} },
  });
  assert.deepEqual((await get(pipit, "/channels", { filter_by_prefix: "pr" })).json, {
    channels: { "presence-room": {}, "private-room": {} },
  });
  const query = { filter_by_prefix: "presence-", info: "user_count" };
  assert.deepEqual((await get(pipit, "/channels", query)).json, {
    channels: { "presence-room": { user_count: 2 } },
  });
  const library = await pipit.pusher.get({ path: "/channels", params: query });
  assert.deepEqual(await library.json(), { channels: { "presence-room": { user_count: 2 } } });
});

test("a channel that has been left is in no list", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await subscribe(socket, "room");
  socket.destroy();
  await until(
    "the list is empty",
    async () => (await get(pipit, "/channels")).text === '{"channels":{}}',
  );
  assert.deepEqual((await get(pipit, "/channels/room")).json, { occupied: false });
});

test("a channel tells whether it is occupied, and its counts when asked", async (t) => {
  const pipit = await startPipit(t, { enable_subscription_count: true });
  await populated(pipit);
  const cases: readonly [string, string, unknown][] = [
    ["/channels/room", "", { occupied: true }],
    ["/channels/room", "subscription_count", { occupied: true, subscription_count: 2 }],
    ["/channels/presence-room", "user_count", { occupied: true, user_count: 2 }],
    ["/channels/empty", "subscription_count", { occupied: false, subscription_count: 0 }],
    ["/channels/presence-empty", "user_count", { occupied: false, user_count: 0 }],
    ["/channels/cache-x", "cache", { occupied: false, cache: null }],
    [
      "/channels/cache-x",
      "cache,subscription_count",
      { occupied: false, subscription_count: 0, cache: null },
    ],
    ["/channels/users", "", { occupied: false }],
  ];
  for (const [path, info, expected] of cases) {
    const { status, json } = await get(pipit, path, info === "" ? {} : { info });
    assert.deepEqual([status, json], [200, expected], `${path} ${info}`);
  }
});

test("info= with nothing in it reads as none", async (t) => {
  const pipit = await startPipit(t);
  assert.deepEqual((await get(pipit, "/channels/room", { info: "" })).json, { occupied: false });
});

test("users lists each user once with the id as a string, and their info when asked", async (t) => {
  const pipit = await startPipit(t);
  await populated(pipit);
  const path = "/channels/presence-room/users";
  assert.deepEqual((await get(pipit, path)).json, { users: [{ id: "ann" }, { id: "7" }] });
  assert.deepEqual((await get(pipit, path, { with_user_info: "1" })).json, {
    users: [
      { id: "ann", user_info: { n: 0 } },
      { id: "7", user_info: { n: 1 } },
    ],
  });
  assert.deepEqual((await get(pipit, "/channels/presence-none/users")).json, { users: [] });
});

test("what does not apply, or cannot be, is refused with 400", async (t) => {
  const pipit = await startPipit(t);
  const cases: readonly [string, Record<string, string>][] = [
    ["/channels", { info: "user_count" }],
    ["/channels", { info: "user_count", filter_by_prefix: "private-" }],
    ["/channels", { info: "subscription_count" }],
    ["/channels", { info: "colour" }],
    ["/channels/room", { info: "user_count" }],
    ["/channels/room", { info: "cache" }],
    ["/channels/presence-room", { info: "subscription_count" }],
    // The app has not switched it on.
    ["/channels/room", { info: "subscription_count" }],
    ["/channels/room/users", {}],
    ["/channels/a%20b", {}],
    [`/channels/${"x".repeat(201)}`, {}],
  ];
  for (const [path, query] of cases) {
    const { status, json } = await get(pipit, path, query);
    assert.equal(status, 400, `${path} ${JSON.stringify(query)}`);
    assert.equal((json as { code: number }).code, 400);
  }
});

test("over max_read_requests_per_second a read gets 429", async (t) => {
  let nowMs = Date.now();
  const pipit = await startPipit(t, { max_read_requests_per_second: 2 }, {}, { now: () => nowMs });
  const statuses: number[] = [];
  for (let n = 0; n < 3; n++) statuses.push((await get(pipit, "/channels")).status);
  nowMs += 1_000;
  const again = await get(pipit, "/channels/room");
  assert.deepEqual([...statuses, again.status], [200, 200, 429, 200]);
});

test("the apps of one server see nothing of each other", async (t) => {
  const other = { id: "43", key: "other-key", secret: "other-secret" };
  const pipit = await startPipit(t, {}, { app_manager: { apps: [other] } });
  await populated(pipit);
  const read = (path: string): Promise<HttpReply> =>
    sendSigned(pipit.port, {
      method: "GET",
      path: `//apps/43${path}`,
      key: other.key,
      secret: other.secret,
    });
  assert.deepEqual((await read("/channels")).json, { channels: {} });
  assert.deepEqual((await read("/channels/presence-room/users")).json, { users: [] });
});
