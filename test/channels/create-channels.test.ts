import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createChannelsNode, dataOf, HANDSHAKE } from "../support/channels-node.ts";
import { createDelayedApps } from "../support/delayed-apps.ts";
import { createHeldCalls } from "../support/held-calls.ts";
import { createTestApp } from "../support/test-app.ts";

describe("open", () => {
  test("answers with connection_established, first of all frames, with a socket id and a timeout", () => {
    const node = createChannelsNode({ settings: { activityTimeoutS: 30 } });
    const { socket, opened } = node.open();
    assert.ok(!(opened instanceof Promise) && "socketId" in opened);
    assert.equal(socket.frames.length, 1);
    assert.equal(socket.frames[0]?.event, "pusher:connection_established");
    assert.deepEqual(dataOf(socket.frames[0]), {
      socket_id: opened.socketId,
      activity_timeout: 30,
    });
    assert.equal(node.connections.bySocketId(opened.socketId), opened);
    assert.equal(node.app.traffic.connectionsOpened, 1);
  });

  test("a refusal closes the socket with its code, is counted, and leaves nothing behind", () => {
    const node = createChannelsNode();
    for (const [handshake, code] of [
      [{ appKey: "unknown" }, 4001],
      [{ protocol: "3" }, 4007],
      [{ protocol: undefined }, 4008],
    ] as const) {
      const { socket, opened } = node.open(handshake);
      assert.ok(!(opened instanceof Promise) && "code" in opened);
      assert.equal(opened.code, code);
      assert.deepEqual(socket.closed, { code, message: opened.message });
      assert.deepEqual(socket.frames, []);
      assert.equal(node.channels.counters.handshakesRefused.get(code), 1);
    }
    assert.equal(node.connections.size, 0);
    assert.equal(node.app.traffic.connectionsOpened, 0);
  });

  test("connections per node, address and app are counted as they come and go", () => {
    const app = createTestApp({ limits: { maxConnections: 2 } });
    const node = createChannelsNode({ app });
    const first = node.connect();
    node.connect();
    assert.equal(node.open().socket.closed?.code, 4004);
    first.socket.leave();
    node.connect();

    const full = createChannelsNode({ settings: { maxConnections: 1 } });
    full.connect();
    assert.equal(full.open().socket.closed?.code, 4100);

    const perAddress = createChannelsNode({ settings: { maxConnectionsPerAddress: 1 } });
    const one = perAddress.connect({ address: "10.0.0.1" });
    perAddress.connect({ address: "10.0.0.2" });
    assert.equal(perAddress.open({ address: "10.0.0.1" }).socket.closed?.code, 4100);
    one.socket.leave();
    perAddress.connect({ address: "10.0.0.1" });
  });

  test("a client whom the numbers of other nodes keep out waits until they are sure", async () => {
    const app = createTestApp({ limits: { maxConnections: 2 } });
    let elsewhere = 1;
    const answers: ((isSure: boolean) => void)[] = [];
    const node = createChannelsNode({
      app,
      connectionsElsewhere: () => elsewhere,
      confirmElsewhere: () => new Promise((resolve) => answers.push(resolve)),
    });
    node.connect();
    const [full, unsure, lucky] = [node.open(), node.open(), node.open()];
    for (const { socket } of [full, unsure, lucky]) assert.equal(socket.closed, undefined);
    answers[0]?.(true);
    await full.opened;
    assert.equal(full.socket.closed?.code, 4004);
    answers[1]?.(false);
    await unsure.opened;
    assert.equal(unsure.socket.closed?.code, 4100);
    elsewhere = 0;
    answers[2]?.(false);
    await lucky.opened;
    assert.equal(lucky.socket.closed, undefined);
    assert.equal(node.channels.counters.capacityHit.get("app_connections"), 2);
    assert.equal(node.open().socket.closed?.code, 4004, "this node alone has as many");
  });

  test("no more than a thousand clients wait for that, the next is told to come again", () => {
    const node = createChannelsNode({
      app: createTestApp({ limits: { maxConnections: 1 } }),
      connectionsElsewhere: () => 1,
      confirmElsewhere: () => new Promise(() => {}),
    });
    for (let n = 0; n < 1_000; n++) assert.equal(node.open().socket.closed, undefined);
    assert.equal(node.open().socket.closed?.code, 4100);
  });

  test("waits for an app that has to be asked for elsewhere", async () => {
    const calls = createHeldCalls();
    const node = createChannelsNode({ wrapApps: (apps) => createDelayedApps(apps, calls) });
    const known = node.open();
    const unknown = node.open({ appKey: "unknown" });
    assert.ok(known.opened instanceof Promise && unknown.opened instanceof Promise);
    assert.deepEqual(known.socket.take(), []);
    await calls.releaseAll();
    assert.ok("socketId" in (await known.opened));
    assert.equal(known.socket.take()[0]?.event, "pusher:connection_established");
    await unknown.opened;
    assert.equal(unknown.socket.closed?.code, 4001);
  });

  test("a client that came before the drain and is admitted after it is sent away too", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const calls = createHeldCalls();
    const node = createChannelsNode({ wrapApps: (apps) => createDelayedApps(apps, calls) });
    const { socket } = node.open();
    const drained = node.channels.drain(0);
    await calls.releaseAll();
    t.mock.timers.tick(500);
    assert.equal(socket.closed?.code, 4200);
    await drained;
    assert.equal(node.connections.size, 0);
  });
});

describe("receive", () => {
  test("a ping is answered at once, whatever its data; a pong is not answered", () => {
    const node = createChannelsNode();
    const client = node.connect();
    for (const data of ["{}", "null", '"{}"', "1"]) {
      node.channels.receive(client.connection, `{"event":"pusher:ping","data":${data}}`);
    }
    node.channels.receive(client.connection, '{"event":"pusher:ping"}');
    assert.deepEqual(
      client.socket.texts.slice(1),
      new Array(5).fill('{"event":"pusher:pong","data":"{}"}'),
    );
    client.take();
    client.send({ event: "pusher:pong", data: {} });
    assert.deepEqual(client.take(), []);
  });

  test("whatever a client sends is answered with error null at most, and the connection lives on", () => {
    const node = createChannelsNode();
    const client = node.connect();
    const deep = "[".repeat(50_000) + "]".repeat(50_000);
    for (const text of [
      "",
      "hello",
      "[]",
      "null",
      "{}",
      '{"event":1}',
      '{"event":"unknown"}',
      '{"event":"pusher:unknown"}',
      '{"event":"pusher_internal:member_added","channel":"room","data":"{}"}',
      '{"event":"pusher:subscription_error","channel":"room"}',
      '{"event":"Client-x","channel":"private-room"}',
      '{"event":"pusher:subscribe"}',
      '{"event":"pusher:subscribe","data":[]}',
      '{"event":"pusher:subscribe","data":{"channel":{}}}',
      '{"event":"pusher:subscribe","data":{"__proto__":{"channel":"room"}}}',
      '{"event":"pusher:unsubscribe","data":7}',
      '{"event":"pusher:signin","data":{"auth":1}}',
      `{"event":"pusher:subscribe","data":${deep}}`,
      `{"event":"pusher:signin","data":{"auth":${deep},"user_data":${deep}}}`,
      `{"event":${deep}}`,
      deep,
    ]) {
      node.channels.receive(client.connection, text);
      assert.deepEqual(client.takeNames(), ["error null"], text.slice(0, 100));
    }
    client.subscribe("room");
    assert.deepEqual(client.takeNames(), ["subscription_succeeded room"]);
  });

  test("what is not a client event is never passed on to others", () => {
    const node = createChannelsNode();
    const [sender, receiver] = [node.connect(), node.connect()];
    for (const client of [sender, receiver]) client.subscribe("private-room");
    receiver.take();
    for (const event of [
      "pusher:error",
      "pusher_internal:subscription_succeeded",
      "message",
      " client-x",
      "Client-x",
      "x-client-x",
    ]) {
      sender.send({ event, channel: "private-room", data: "d" });
    }
    assert.deepEqual(receiver.take(), []);
  });

  test("is nothing after the close", () => {
    const node = createChannelsNode();
    const client = node.connect();
    client.socket.leave();
    client.subscribe("room");
    assert.equal(node.locals.size, 0);
  });
});

describe("the rate of commands", () => {
  const settings = { commandsPerSecond: 10, commandsBurst: 3 };

  test("lets a burst through and then the rate; over it 4301, and the command is dropped", () => {
    const node = createChannelsNode({ settings });
    const client = node.connect();
    for (const channel of ["a", "b", "c", "d"]) client.subscribe(channel);
    assert.deepEqual(client.takeNames(), [
      "subscription_succeeded a",
      "subscription_succeeded b",
      "subscription_succeeded c",
      "error 4301",
    ]);
    assert.equal(client.connection.subscriptions?.get("d"), undefined);
    node.nowMs += 100;
    client.subscribe("d");
    assert.deepEqual(client.takeNames(), ["subscription_succeeded d"]);
    assert.equal(node.app.traffic.refusals.get("command_rate"), 1);
  });

  test("counts bad frames, but neither pings nor client events", () => {
    const node = createChannelsNode({ settings });
    const client = node.connect();
    client.subscribe("private-a");
    for (let i = 0; i < 20; i++) {
      client.send({ event: "pusher:ping" });
      client.send({ event: "client-x", channel: "private-a", data: i });
    }
    assert.equal(client.takeNames().includes("error 4301"), false);
    for (let i = 0; i < 3; i++) node.channels.receive(client.connection, "nonsense");
    assert.deepEqual(client.takeNames(), ["error null", "error null", "error 4301"]);
  });

  test("closes who goes on far over it, and not who was over it now and then", () => {
    const node = createChannelsNode({ settings });
    const client = node.connect();
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 5; i++) client.unsubscribe("a");
      node.nowMs += 1_000;
    }
    assert.ok(client.takeNames().includes("error 4301"));
    assert.equal(node.channels.counters.abusersClosed, 0);
    for (let i = 0; i < 20; i++) client.unsubscribe("a");
    assert.equal(client.socket.closed?.code, 4301);
    assert.equal(node.channels.counters.abusersClosed, 1);
  });

  test("is per connection, and none where there is none", () => {
    const node = createChannelsNode({ settings });
    const [busy, other] = [node.connect(), node.connect()];
    for (let i = 0; i < 4; i++) busy.unsubscribe("a");
    other.subscribe("a");
    assert.deepEqual(other.takeNames(), ["subscription_succeeded a"]);
    const free = createChannelsNode().connect();
    for (let i = 0; i < 5_000; i++) free.unsubscribe("a");
    assert.deepEqual(free.take(), []);
  });
});

describe("authorised connections", () => {
  const app = () => createTestApp({ features: { authorizedConnections: true } });

  test("that neither sign in nor join a channel that needs auth in time are closed with 4009", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const node = createChannelsNode({ app: app() });
    const [idle, isPublic, refused, isPrivate, member, signedIn] = Array.from({ length: 6 }, () =>
      node.connect(),
    );
    assert.ok(idle && isPublic && refused && isPrivate && member && signedIn);
    isPublic.subscribe("room");
    refused.send({ event: "pusher:subscribe", data: { channel: "private-room", auth: "" } });
    isPrivate.subscribe("private-room");
    member.subscribe("presence-room", { user_id: 1 });
    signedIn.signIn({ id: "u1" });
    node.nowMs += 29_999;
    t.mock.timers.tick(29_999);
    assert.equal(node.connections.size, 6);
    node.nowMs += 1;
    t.mock.timers.tick(1);
    for (const client of [idle, isPublic, refused]) assert.equal(client.socket.closed?.code, 4009);
    for (const client of [isPrivate, member, signedIn])
      assert.equal(client.socket.closed, undefined);
    assert.equal(node.channels.counters.unauthorizedClosed, 3);
  });

  test("are a feature of their own: enabling sign-in alone sends nobody away", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const node = createChannelsNode();
    const client = node.connect();
    node.nowMs += 60_000;
    t.mock.timers.tick(60_000);
    assert.equal(client.socket.closed, undefined);
  });
});

describe("closed", () => {
  test("counts once, however often it is told", () => {
    const node = createChannelsNode();
    const client = node.connect();
    node.channels.closed(client.connection);
    node.channels.closed(client.connection);
    assert.equal(node.connections.size, 0);
    assert.equal(node.app.traffic.connectionsClosed, 1);
    assert.equal(client.connection.isOpen, false);
  });
});

describe("drain", () => {
  test("sends everybody away with 4200 and lets nobody in, not even to an unknown app", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const node = createChannelsNode();
    const clients = [1, 2, 3].map(() => node.connect());
    for (const client of clients) client.subscribe("room");
    await node.channels.drain(0);
    for (const { socket } of clients) assert.equal(socket.closed?.code, 4200);
    assert.equal(node.locals.size, 0);
    for (const appKey of [HANDSHAKE.appKey, "unknown"]) {
      const { socket } = node.open({ appKey });
      const codes = [socket.closed?.code];
      t.mock.timers.tick(500);
      codes.push(socket.closed?.code);
      // Not at once: a client that is told 4200 comes again at once, in a tight loop.
      assert.deepEqual(codes, [undefined, 4200]);
    }
  });
});
