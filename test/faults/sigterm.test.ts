/** SIGTERM to the real process while hundreds of clients are connected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { APP } from "../support/pipit.ts";
import { openRawSocket } from "../support/raw-socket.ts";
import { startServerProcess } from "../support/server-process.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const CLIENTS = 500;
const CHANNELS = 50;
/** Shorter than the default of 10, so that the suite stays quick. */
const GRACE_S = Number(process.env.PIPIT_TEST_GRACE_S ?? 3);

test("SIGTERM closes 500 clients with 4200, spread over the grace, delivers the last vacated webhooks and exits 0", async (t) => {
  const receiver = await startReceiver(t, APP);
  const server = await startServerProcess(
    {
      port: 0,
      metrics: { port: 0 },
      log: { level: "warn" },
      shutdown: { grace_s: GRACE_S },
      app_manager: {
        apps: [{ ...APP, webhooks: [{ url: receiver.url, event_types: ["channel_vacated"] }] }],
      },
    },
    () => {},
  );
  t.after(() => server.stop());
  const closedAtMs: number[] = [];
  const sockets = await Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const socket = await openRawSocket(t, server.port, `/app/${APP.key}?protocol=7`);
      await socket.socketId();
      socket.send({ event: "pusher:subscribe", data: { channel: `room-${n % CHANNELS}` } });
      await socket.settled();
      return socket;
    }),
  );
  const startedMs = performance.now();
  const exited = server.stop();
  for (const [n, socket] of sockets.entries()) {
    until("it is closed", () => socket.closed, 30_000).then(
      () => {
        closedAtMs[n] = performance.now() - startedMs;
      },
      () => {},
    );
  }
  assert.equal(await exited, 0);
  await until("every client has its close frame", () => sockets.every((socket) => socket.closed));
  assert.deepEqual([...new Set(sockets.map((socket) => socket.closed?.code))], [4200]);
  const vacated = receiver.events().map(({ channel }) => channel);
  assert.equal(vacated.length, CHANNELS, "one event for each channel");
  assert.equal(new Set(vacated).size, CHANNELS);
  // Not a bound on time, only on shape: no moment in which half of them go at once.
  const slots = new Map<number, number>();
  for (const atMs of closedAtMs) {
    const slot = Math.floor(atMs / 200);
    slots.set(slot, (slots.get(slot) ?? 0) + 1);
  }
  assert.ok(Math.max(...slots.values()) < CLIENTS / 2, JSON.stringify([...slots]));
  const last = Math.max(...closedAtMs.filter((ms) => ms !== undefined));
  t.diagnostic(`closed over ${(last / 1_000).toFixed(1)} s of a grace of ${GRACE_S} s`);
});
