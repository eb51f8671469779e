/** Stopping: clients are sent away gently, receivers learn of it, nothing is left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

test("a stop closes every client with 4200, spread over the grace, and delivers the last vacated webhooks", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(
    t,
    { webhooks: [{ url: receiver.url, event_types: ["channel_vacated", "member_removed"] }] },
    { shutdown: { grace_s: 2 } },
  );
  const sockets = await Promise.all(Array.from({ length: 100 }, () => pipit.raw()));
  for (const [n, socket] of sockets.entries()) {
    await socket.socketId();
    socket.send({ event: "pusher:subscribe", data: { channel: `room-${n % 10}` } });
    await socket.settled();
  }
  const closed = pipit.server.close();
  await until("some are out", () => sockets.some((socket) => socket.closed));
  assert.ok(!sockets.every((socket) => socket.closed), "all at once");
  const ready = await fetch(pipit.url("/health/ready"));
  assert.equal(ready.status, 503);
  assert.equal((await fetch(pipit.url("/health/live"))).status, 200);
  await closed;
  await until("all have their close frame", () => sockets.every((socket) => socket.closed));
  assert.deepEqual([...new Set(sockets.map((socket) => socket.closed?.code))], [4200]);
  assert.deepEqual(
    receiver.events().toSorted((a, b) => a.channel.localeCompare(b.channel)),
    Array.from({ length: 10 }, (_, n) => ({ name: "channel_vacated", channel: `room-${n}` })),
  );
  await assert.rejects(fetch(pipit.url("/")));
});

test("a client that comes while the server stops is told to come again, not at once", async (t) => {
  const pipit = await startPipit(t, {}, { shutdown: { grace_s: 2 } });
  const sockets = await Promise.all(Array.from({ length: 30 }, () => pipit.raw()));
  for (const socket of sockets) await socket.socketId();
  const closed = pipit.server.close();
  const late = await pipit.raw();
  const { code } = await until("it is answered", () => late.closed);
  assert.equal(code, 4200);
  await closed;
});

test("a stop without clients ends at once, also when it is asked for twice", async (t) => {
  const pipit = await startPipit(t, {}, { shutdown: { grace_s: 600 } });
  await Promise.all([pipit.server.close(), pipit.server.close()]);
  assert.equal(pipit.server.address(), undefined);
});

test("a port that is taken is refused with the way out, and nothing is left open", async (t) => {
  const pipit = await startPipit(t);
  await assert.rejects(
    startPipit(t, {}, { port: pipit.port }),
    (error: Error & { code: string }) =>
      error.code === "PIPIT_PORT_UNAVAILABLE" && error.message.includes(`127.0.0.1:${pipit.port}`),
  );
});

test("several servers live in one process", async (t) => {
  const [a, b] = [await startPipit(t), await startPipit(t)];
  const client = await a.connect();
  const channel = await client.subscribe("room");
  let heard = 0;
  channel.bind("news", () => {
    heard += 1;
  });
  await b.pusher.trigger("room", "news", {});
  await a.pusher.trigger("room", "news", {});
  await until("the event of the own server has come", () => heard > 0);
  assert.equal(heard, 1);
});
