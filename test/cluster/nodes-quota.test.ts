/** An app's `max_connections` holds for all nodes together, and a node that goes gives its share back. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createKeys } from "../../src/redis/keys.ts";
import { nodeAt, startNodes } from "../support/nodes.ts";
import { APP } from "../support/pipit.ts";
import { nodeConfig, startPipitProcess } from "../support/pipit-process.ts";
import { openRawSocket, type RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

/** One client that has its answer: the socket when it was admitted, else the code it was refused with. */
async function enter(t: TestContext, port: number): Promise<RawSocket | number> {
  const socket = await openRawSocket(t, port, `/app/${APP.key}?protocol=7`);
  await until("it is answered", () => socket.frames.length > 0);
  if (socket.frames[0]?.event === "pusher:connection_established") return socket;
  await until("it is closed", () => socket.closed);
  return socket.closed?.code ?? 0;
}

async function mustEnter(t: TestContext, port: number): Promise<RawSocket> {
  const client = await enter(t, port);
  if (typeof client === "number") throw new Error(`Refused with ${client}.`);
  return client;
}

/** Comes again and again, and stays outside, until it is refused. */
function refusal(t: TestContext, port: number): Promise<number> {
  return until("a client is refused", async () => {
    const client = await enter(t, port);
    if (typeof client === "number") return client;
    client.destroy();
    return undefined;
  });
}

/** Comes again and again until it is admitted. */
function admission(t: TestContext, port: number, withinMs?: number): Promise<RawSocket> {
  const look = async () => {
    const client = await enter(t, port);
    return typeof client !== "number" && client;
  };
  return until("a client is admitted", look, withinMs);
}

test("with three clients on two nodes the fourth is refused with 4004 on each, until one leaves", async (t) => {
  const cluster = await startNodes(t, 2, { app: { max_connections: 3 } });
  const [first, second] = [nodeAt(cluster, 0).port, nodeAt(cluster, 1).port];
  await mustEnter(t, first);
  await mustEnter(t, first);
  const leaving = await mustEnter(t, second);
  assert.equal(await refusal(t, first), 4004);
  assert.equal(await refusal(t, second), 4004);

  leaving.destroy();
  await admission(t, first);
  assert.equal(await refusal(t, second), 4004);
});

test("an app without a limit is not counted, and one with a limit alone", async (t) => {
  const other = { id: "2", key: "other-key", secret: "other-secret", max_connections: 1 };
  const cluster = await startNodes(t, 2, { config: { app_manager: { apps: [other] } } });
  const [first, second] = [nodeAt(cluster, 0).port, nodeAt(cluster, 1).port];
  for (let n = 0; n < 3; n++) await mustEnter(t, first);
  const only = await openRawSocket(t, second, `/app/${other.key}?protocol=7`);
  await only.socketId();
  await until("the other node knows", async () => {
    const late = await openRawSocket(t, first, `/app/${other.key}?protocol=7`);
    await until("it is answered", () => late.frames.length > 0);
    const isRefused = late.frames[0]?.event === "pusher:error";
    late.destroy();
    return isRefused;
  });
  await mustEnter(t, second);
});

test("a killed node's share is given back once its reports are missed, a stopped one's at once", async (t) => {
  const app = { max_connections: 3 };
  const cluster = await startNodes(t, 1, { app });
  const { port } = nodeAt(cluster, 0);
  const config = nodeConfig(app, { redis: { url: cluster.redis.url } });
  const [killed, stopped] = await Promise.all([
    startPipitProcess(t, config),
    startPipitProcess(t, config),
  ]);
  await mustEnter(t, killed.port);
  await mustEnter(t, killed.port);
  await mustEnter(t, stopped.port);
  assert.equal(await refusal(t, port), 4004);

  stopped.kill("SIGTERM");
  await stopped.exitCode();
  assert.equal(await cluster.redis.call("HLEN", createKeys().key(0, "conn-counts")), 2);
  await admission(t, port);
  assert.equal(await refusal(t, port), 4004, "those of the node that lives on are counted");

  // Its clients come back at once, and pusher-js would stay away after a 4004: none may get one.
  killed.kill("SIGKILL");
  const codes: number[] = [];
  await until(
    "they are admitted",
    async () => {
      const client = await enter(t, port);
      if (typeof client === "number") codes.push(client);
      return typeof client !== "number";
    },
    3_000 + 1_000 + 2_000,
  );
  assert.ok(
    codes.every((code) => code === 4100),
    codes.join(),
  );
});
