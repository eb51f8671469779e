/** Signing in, messages to a user, and ending a user's connections. protocol.md §4. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  authFor,
  errorNumber,
  errorsOf,
  sendSignIn,
  signIn,
  subscribe,
} from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

test("pusher-js signs in and hears what is sent to its user", async (t) => {
  const pipit = await startPipit(t);
  const ann = await pipit.connect({ userId: "ann", userInfo: { name: "Ann" } });
  ann.pusher.signin();
  await ann.pusher.user.signinDonePromise;
  assert.deepEqual(ann.pusher.user.user_data, { id: "ann", user_info: { name: "Ann" } });
  const heard: unknown[] = [];
  ann.pusher.user.bind("greeting", (data: unknown) => heard.push(data));
  await pipit.pusher.sendToUser("ann", "greeting", { hello: "Ann" });
  await until("the greeting comes", () => heard.length > 0);
  assert.deepEqual(heard, [{ hello: "Ann" }]);
});

test("the signed user_data is echoed to the byte", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  const userData = '{ "user_info":{"n":1.0, "é":"\\u00e9"},  "id":"ann" }';
  const success = await signIn(socket, userData);
  assert.deepEqual(success, { event: "pusher:signin_success", data: { user_data: userData } });
});

describe("a sign-in is refused and the connection lives on", () => {
  for (const [what, userData] of [
    ["a numeric id", { id: 7 }],
    ["an empty id", { id: "" }],
    ["no id", { user_info: {} }],
    ["an id over 200 characters", { id: "x".repeat(201) }],
    ["no object", "[]"],
    ["no JSON", "{"],
    ["a watchlist that is no array", { id: "ann", watchlist: "bob" }],
    ["a watchlist of numbers", { id: "ann", watchlist: [1] }],
    ["user_info of 100 levels", `{"id":"ann","user_info":${"[".repeat(100)}${"]".repeat(100)}}`],
  ] as const) {
    test(`with ${what}`, async (t) => {
      const pipit = await startPipit(t, { enable_watchlist_events: true });
      const socket = await pipit.raw();
      await sendSignIn(socket, userData);
      assert.equal((await errorNumber(socket, 0)).code, 4009);
      await socket.settled();
      assert.equal(socket.closed, undefined);
      assert.ok(socket.frames.every(({ event }) => event !== "pusher:signin_success"));
    });
  }

  test("with a wrong signature, another app's key, or one for another socket", async (t) => {
    const pipit = await startPipit(t);
    const socket = await pipit.raw();
    const userData = '{"id":"ann"}';
    const content = `${await socket.socketId()}::user::${userData}`;
    const right = authFor(content);
    for (const auth of [
      "",
      "no colon",
      `${APP.key}:${"0".repeat(64)}`,
      right.replace(APP.key, "other-key"),
      `${right}0`,
      right.toUpperCase(),
      authFor(`1.1::user::${userData}`),
      authFor(content.replace("::user::", ":")),
    ]) {
      socket.send({ event: "pusher:signin", data: { auth, user_data: userData } });
    }
    await socket.settled();
    assert.deepEqual(
      errorsOf(socket).map(({ code }) => code),
      Array.from({ length: 8 }, () => 4009),
    );
    assert.equal(socket.closed, undefined);
  });

  test("without the fields it needs", async (t) => {
    const pipit = await startPipit(t);
    const socket = await pipit.raw();
    for (const data of [undefined, null, 7, "x", [], {}, { auth: "a:b" }, { user_data: "{}" }]) {
      socket.send({ event: "pusher:signin", data });
    }
    await socket.settled();
    assert.equal(errorsOf(socket).length, 8);
    assert.equal(socket.closed, undefined);
  });

  test("where the app has it off", async (t) => {
    const pipit = await startPipit(t, { enable_user_authentication: false });
    const socket = await pipit.raw();
    await sendSignIn(socket, { id: "ann" });
    assert.match((await errorNumber(socket, 0)).message, /enable_user_authentication/);
    await socket.settled();
    assert.equal(socket.closed, undefined);
  });
});

test("a second sign-in succeeds for the same user and fails for another", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await signIn(socket, { id: "ann" });
  await sendSignIn(socket, { id: "ann", user_info: { again: true } });
  await until(
    "the second is answered",
    () => socket.frames.filter(({ event }) => event === "pusher:signin_success").length === 2,
  );
  await sendSignIn(socket, { id: "bob" });
  assert.equal((await errorNumber(socket, 0)).code, 4009);
  await pipit.pusher.sendToUser("bob", "for-bob", "");
  await pipit.pusher.sendToUser("ann", "for-ann", "");
  await socket.frame("the event for Ann comes", ({ event }) => event === "for-ann");
  assert.ok(socket.frames.every(({ event }) => event !== "for-bob"));
});

test("where connections must be authorised, signing in is enough and a failed sign-in closes", async (t) => {
  const pipit = await startPipit(
    t,
    { enable_authorized_connections: true },
    { user_authentication_timeout_s: 1 },
  );
  const [signedIn, failed, idle] = [await pipit.raw(), await pipit.raw(), await pipit.raw()];
  await signIn(signedIn, { id: "ann" });
  await sendSignIn(failed, { id: 7 });
  assert.equal((await until("the failed one is closed", () => failed.closed)).code, 4009);
  assert.equal((await until("the idle one is closed", () => idle.closed)).code, 4009);
  await signedIn.settled();
  assert.equal(signedIn.closed, undefined);
});

test("a message to a user reaches each of the user's connections once, subscribed or not", async (t) => {
  const pipit = await startPipit(t);
  const [first, second, stranger] = [await pipit.raw(), await pipit.raw(), await pipit.raw()];
  await signIn(first, { id: "ann" });
  await signIn(second, { id: "ann" });
  await signIn(stranger, { id: "ann2" });
  await subscribe(first, "#server-to-user-ann");
  await pipit.pusher.sendToUser("ann", "news", { n: 1 });
  await pipit.pusher.sendToUser("ann", "marker", "");
  const expected = { event: "news", channel: "#server-to-user-ann", data: '{"n":1}' };
  for (const socket of [first, second]) {
    await socket.frame("the marker comes", ({ event }) => event === "marker");
    const news = socket.frames.filter(({ event }) => event === "news");
    assert.deepEqual(news, [expected]);
  }
  await stranger.settled();
  assert.ok(stranger.frames.every(({ event }) => event !== "news"));
});

test("a message to a user leaves out the excluded socket", async (t) => {
  const pipit = await startPipit(t);
  const [first, second] = [await pipit.raw(), await pipit.raw()];
  for (const socket of [first, second]) await signIn(socket, { id: "ann" });
  const [channel, socketId] = ["#server-to-user-ann", await first.socketId()];
  const post = (name: string, socket_id?: string): Promise<unknown> =>
    sendSigned(pipit.port, {
      path: "/events",
      body: { name, channels: [channel], data: "", socket_id },
    });
  await post("news", socketId);
  await post("marker");
  for (const socket of [first, second]) {
    await socket.frame("the marker comes", ({ event }) => event === "marker");
  }
  assert.equal(first.frames.filter(({ event }) => event === "news").length, 0);
  assert.equal(second.frames.filter(({ event }) => event === "news").length, 1);
});

test("the channel of a user may be joined by that user only, and by no signature", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  const join = async (channel: string): Promise<void> => {
    const auth = authFor(`${await socket.socketId()}:${channel}`);
    socket.send({ event: "pusher:subscribe", data: { channel, auth } });
  };
  await join("#server-to-user-ann");
  await signIn(socket, { id: "ann" });
  await join("#server-to-user-ann2");
  await join("#server-to-user-");
  await join("#server-to-user-ANN");
  await join("#other");
  await socket.settled();
  const refused = socket.frames.filter(({ event }) => event === "pusher:subscription_error");
  assert.deepEqual(
    refused.map(({ channel }) => channel),
    [
      "#server-to-user-ann",
      "#server-to-user-ann2",
      "#server-to-user-",
      "#server-to-user-ANN",
      "#other",
    ],
  );
  await subscribe(socket, "#server-to-user-ann");
});

test("the channel of a user is in no list of the API and cannot be asked for", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await signIn(socket, { id: "ann" });
  await subscribe(socket, "#server-to-user-ann");
  await subscribe(socket, "room");
  const listed = await (await pipit.pusher.get({ path: "/channels" })).json();
  assert.deepEqual(listed, { channels: { room: {} } });
  await assert.rejects(pipit.pusher.get({ path: "/channels/%23server-to-user-ann" }), {
    status: 400,
  });
});

test("terminate_connections closes with 4009 the connections signed in as the user and no others", async (t) => {
  const pipit = await startPipit(t);
  const [first, second, other] = [await pipit.raw(), await pipit.raw(), await pipit.raw()];
  await signIn(first, { id: "ann" });
  await signIn(second, { id: "ann" });
  await signIn(other, { id: "bob" });
  const member = await pipit.raw();
  await subscribe(member, "presence-room", { user_id: "ann" });
  await pipit.pusher.terminateUserConnections("nobody");
  await pipit.pusher.terminateUserConnections("ann");
  for (const socket of [first, second]) {
    assert.equal((await until("it is closed", () => socket.closed)).code, 4009);
    assert.equal(errorsOf(socket).at(-1)?.code, 4009);
  }
  for (const socket of [other, member]) {
    await socket.settled();
    assert.equal(socket.closed, undefined);
  }
});

test("a user whose connection has closed hears nothing and can be terminated without harm", async (t) => {
  const pipit = await startPipit(t);
  const gone = await pipit.raw();
  await signIn(gone, { id: "ann" });
  gone.destroy();
  const back = await pipit.raw();
  await signIn(back, { id: "ann" });
  await pipit.pusher.sendToUser("ann", "news", "");
  await back.frame("the event comes", ({ event }) => event === "news");
  assert.equal(back.frames.filter(({ event }) => event === "news").length, 1);
});
