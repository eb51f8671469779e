/** From the handshake to the close. protocol.md §1. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { pick, seededSource } from "../support/random-source.ts";
import type { Frame, RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const QUERY = "protocol=7&client=js&version=8.6.0";

/** Waits for the close and checks that the error frame with the same code came first. */
async function closedWith(socket: RawSocket, code: number): Promise<string> {
  const closed = await until(`the socket is closed with ${code}`, () => socket.closed);
  assert.equal(closed.code, code, closed.reason);
  const last = socket.frames.at(-1);
  assert.equal(last?.event, "pusher:error");
  assert.equal(codeOf(last), code);
  assert.notEqual(closed.reason, "");
  return closed.reason;
}

test("the first frame is connection_established with a socket id and the activity timeout", async (t) => {
  const pipit = await startPipit(t, {}, { activity_timeout_s: 77 });
  const socket = await pipit.raw();
  await socket.socketId();
  const { event, data } = socket.frames[0] as Frame;
  assert.equal(event, "pusher:connection_established");
  const { socket_id, activity_timeout } = JSON.parse(data as string);
  assert.match(socket_id, /^\d+\.\d+$/);
  assert.equal(activity_timeout, 77);
});

describe("a handshake is refused, with the error frame before the close,", () => {
  test("4001 for a key that no app has", async (t) => {
    const pipit = await startPipit(t);
    await closedWith(await pipit.raw(`/app/nobody?${QUERY}`), 4001);
  });
  test("4003 for a disabled app", async (t) => {
    const pipit = await startPipit(t, { enabled: false });
    await closedWith(await pipit.raw(), 4003);
  });
  test("4000 for an app that takes TLS only", async (t) => {
    const pipit = await startPipit(t, { tls_only: true });
    await closedWith(await pipit.raw(), 4000);
  });
  test("4005 for a path that is none", async (t) => {
    const pipit = await startPipit(t);
    await closedWith(await pipit.raw(`/apps/x?${QUERY}`), 4005);
  });
  for (const [code, query] of [
    [4008, "client=js"],
    [4007, "protocol=3"],
    [4007, "protocol=8"],
    [4007, "protocol=x"],
    [4006, "protocol=7&version=not%20a%20version"],
  ] as const) {
    test(`${code} for ?${query}`, async (t) => {
      const pipit = await startPipit(t);
      await closedWith(await pipit.raw(`/app/${APP.key}?${query}`), code);
    });
  }
  test("4009 for an origin that is not allowed", async (t) => {
    const pipit = await startPipit(t, { allowed_origins: ["*.example.com"] });
    const path = `/app/${APP.key}?${QUERY}`;
    await closedWith(await pipit.raw(path, { Origin: "https://example.org" }), 4009);
    await closedWith(await pipit.raw(path), 4009);
    await (await pipit.raw(path, { Origin: "https://www.example.com" })).socketId();
  });
  test("4004 over the app's quota, which a closed connection gives back", async (t) => {
    const pipit = await startPipit(t, { max_connections: 1 });
    const first = await pipit.raw();
    await first.socketId();
    await closedWith(await pipit.raw(), 4004);
    first.destroy();
    await until("a new connection is admitted", async () => {
      const next = await pipit.raw();
      await until("it is answered", () => next.frames.length > 0);
      return next.frames[0]?.event === "pusher:connection_established";
    });
  });
  test("4100 when the node is full", async (t) => {
    const pipit = await startPipit(t, {}, { limits: { max_connections: 1 } });
    await (await pipit.raw()).socketId();
    await closedWith(await pipit.raw(), 4100);
  });
  test("4100 when the address has too many connections", async (t) => {
    const pipit = await startPipit(t, {}, { limits: { max_connections_per_address: 1 } });
    await (await pipit.raw()).socketId();
    await closedWith(await pipit.raw(), 4100);
  });
});

test("each client's own query counts, whatever the one before it sent", async (t) => {
  const { seed, below } = seededSource(t);
  const pipit = await startPipit(t);
  const outcomes = {
    "": 4008,
    "?": 4008,
    "?protocol=3": 4007,
    "?protocol=7": 0,
    "?protocol=%37": 0,
  };
  const queries = Object.entries({
    ...outcomes,
    "?protocol=7&version=8.6.0": 0,
    "?version=8.6.0": 4008,
    "?protocol=7&version=not%20a%20version": 4006,
  });
  for (let n = 0; n < 60; n += 1) {
    const [query, code] = pick(below, queries);
    const socket = await pipit.raw(`/app/${APP.key}${query}`);
    if (code === 0) await socket.socketId();
    else await closedWith(socket, code);
    assert.equal(socket.frames.length, 1, `seed ${seed}: ${query}`);
    socket.destroy();
  }
});

test("protocols 4 to 7 are served", async (t) => {
  const pipit = await startPipit(t);
  for (const protocol of [4, 5, 6, 7]) {
    await (await pipit.raw(`/app/${APP.key}?protocol=${protocol}`)).socketId();
  }
});

test("only a trusted proxy is believed about TLS", async (t) => {
  const path = `/app/${APP.key}?${QUERY}`;
  const headers = { "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9" };
  const trusting = await startPipit(t, { tls_only: true }, { trusted_proxies: ["127.0.0.0/8"] });
  await (await trusting.raw(path, headers)).socketId();
  await closedWith(await trusting.raw(path), 4000);
  const wary = await startPipit(t, { tls_only: true });
  await closedWith(await wary.raw(path, headers), 4000);
});

test("a path prefix stands before /app/{key}", async (t) => {
  const pipit = await startPipit(t, {}, { path_prefix: "/pusher" });
  await (await pipit.raw(`/pusher/app/${APP.key}?${QUERY}`)).socketId();
  await closedWith(await pipit.raw(`/app/${APP.key}?${QUERY}`), 4005);
});

test("a ping is answered at once, whatever its data, and a pong is not answered", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await socket.socketId();
  for (const frame of [
    '{"event":"pusher:ping"}',
    '{"event":"pusher:ping","data":null}',
    '{"event":"pusher:ping","data":"{}"}',
  ]) {
    socket.sendText(frame);
  }
  socket.sendText('{"event":"pusher:pong","data":{}}');
  await socket.settled();
  assert.deepEqual(
    socket.texts.slice(1),
    Array.from({ length: 4 }, () => '{"event":"pusher:pong","data":"{}"}'),
  );
});

test("a silent connection is asked with a WebSocket PING and closed with 4201 when it does not answer", async (t) => {
  const pipit = await startPipit(t, {}, { activity_timeout_s: 5, pong_timeout_s: 1 });
  const silent = await pipit.raw();
  silent.answersPings = false;
  const living = await pipit.raw();
  const closed = await until("the silent one is closed", () => silent.closed, 20_000);
  assert.equal(closed.code, 4201);
  assert.equal(silent.pings, 1);
  assert.ok(silent.frames.every(({ event }) => event !== "pusher:ping"));
  assert.equal(codeOf(silent.frames.at(-1)), 4201);
  await until("the TCP connection is ended too", () => silent.hasEnded, 3_000);
  await living.settled();
  assert.equal(living.closed, undefined);
  assert.ok(living.pings >= 1);
});

test("where connections must be authorized, one that joins nothing private in time is closed with 4009", async (t) => {
  const pipit = await startPipit(
    t,
    { enable_authorized_connections: true },
    { user_authentication_timeout_s: 1 },
  );
  const idle = await pipit.raw();
  idle.send({ event: "pusher:subscribe", data: { channel: "public" } });
  const member = await pipit.connect({ userId: "ann" });
  await member.subscribe("private-x");
  await closedWith(idle, 4009);
  assert.equal(member.pusher.connection.state, "connected");
  // Closes that a timer makes: clients that wait for the end of the connection must not wait for a timeout.
  await until("the TCP connection is ended too", () => idle.hasEnded, 3_000);
});

test("a client that does not read is closed and the others have everything", async (t) => {
  const pipit = await startPipit(
    t,
    { enable_subscription_count: true },
    { limits: { max_backpressure_kb: 64 } },
  );
  const slow = await pipit.raw();
  slow.send({ event: "pusher:subscribe", data: { channel: "flood" } });
  await slow.settled();
  const reader = await pipit.raw();
  reader.send({ event: "pusher:subscribe", data: { channel: "flood" } });
  await reader.settled();
  slow.pause();
  const payload = "x".repeat(90_000);
  let sent = 0;
  await until(
    "the slow one is out",
    async () => {
      await pipit.pusher.trigger("flood", "drop", payload);
      sent += 1;
      // Before the next: in this process it reads only when nothing else is to be done.
      await until(
        "the reader has all",
        () => reader.frames.filter(({ event }) => event === "drop").length === sent,
      );
      return (await subscriptionsOf(pipit, "flood")) === 1;
    },
    30_000,
  );
});

function codeOf(frame: Frame | undefined): unknown {
  return (frame?.data as { code?: unknown } | undefined)?.code;
}

async function subscriptionsOf(pipit: Pipit, channel: string): Promise<number> {
  const params = { info: "subscription_count" };
  const answer = await pipit.pusher.get({ path: `/channels/${channel}`, params });
  return ((await answer.json()) as { subscription_count: number }).subscription_count;
}
