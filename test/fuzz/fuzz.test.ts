/**
 * Spoiled frames and requests by the ten thousand, after which nobody but their senders has noticed anything.
 *
 *   PIPIT_FUZZ_SEED=1 node --import tsx --test test/fuzz/fuzz.test.ts     repeats what seed 1 did
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connectClient } from "../support/client.ts";
import { authFor, sendSignIn, signIn, subscribe } from "../support/commands.ts";
import { createSeededRandom } from "../support/delayed-calls.ts";
import { send, sendBytes, signedTarget } from "../support/http-request.ts";
import { APP, createBackend } from "../support/pipit.ts";
import { type Frame, maskedFrame, openRawSocket, type RawSocket } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";
import type { Listening, Memory } from "./fuzz-server.ts";
import { mutated, mutatedBytes, pick, type Random } from "./mutate.ts";

const FRAMES = 50_000;
const REQUESTS = 10_000;
const WORKERS = 8;
const FRAMES_PER_BATCH = 50;
const BATCHES_PER_SOCKET = 12;
const MB = 1_048_576;
const PATH = `/app/${APP.key}?protocol=7`;
const SERVER = fileURLToPath(new URL("./fuzz-server.ts", import.meta.url));

interface FuzzedServer extends Listening {
  /** What it wrote: warnings and errors. */
  readonly output: () => string;
  memory(): Promise<Memory>;
  isAlive(): boolean;
}

async function startServer(t: TestContext): Promise<FuzzedServer> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--expose-gc", "--unhandled-rejections=throw", "--import", "tsx", SERVER],
    { stdio: ["ignore", "pipe", "pipe", "ipc"] },
  );
  t.after(() => child.kill());
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const message = <T>(): Promise<T> =>
    new Promise((resolve, reject) => {
      child.once("message", (value) => resolve(value as T));
      child.once("exit", (code) => reject(new Error(`The server ended with ${code}: ${output}`)));
    });
  const listening = await message<Listening>();
  return {
    ...listening,
    output: () => output,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    memory() {
      const answer = message<Memory>();
      child.send("memory");
      return answer;
    },
  };
}

/** Valid commands of a client with this socket id. */
function validFrames(random: Random, socketId: string): readonly unknown[] {
  const n = Math.floor(random() * 20);
  const member = JSON.stringify({ user_id: `u${n}`, user_info: { name: "x", n } });
  const user = JSON.stringify({ id: `u${n % 4}`, user_info: { n }, watchlist: ["u1", "u2", "u3"] });
  const signed = (channel: string): unknown => ({
    event: "pusher:subscribe",
    data: { channel, auth: authFor(`${socketId}:${channel}`) },
  });
  const presence = `presence-${n % 3}`;
  return [
    { event: "pusher:subscribe", data: { channel: `room-${n}`, auth: "" } },
    { event: "pusher:subscribe", data: JSON.stringify({ channel: `cache-${n}` }) },
    signed(`private-${n}`),
    signed(`private-cache-${n}`),
    {
      event: "pusher:subscribe",
      data: {
        channel: presence,
        auth: authFor(`${socketId}:${presence}:${member}`),
        channel_data: member,
      },
    },
    { event: "pusher:unsubscribe", data: { channel: pick(random, [presence, `room-${n}`]) } },
    {
      event: "client-x",
      channel: pick(random, [`private-${n}`, presence, `room-${n}`]),
      data: { n, deep: [{ a: [1, "2", null] }] },
    },
    {
      event: "pusher:signin",
      data: { auth: authFor(`${socketId}::user::${user}`), user_data: user },
    },
    { event: "pusher:ping", data: {} },
    { event: "pusher:pong" },
  ];
}

/** Sends frames until all workers together have sent `total`. */
async function fuzzFrames(
  t: TestContext,
  port: number,
  random: Random,
  total: number,
): Promise<void> {
  let sent = 0;
  async function work(): Promise<void> {
    while (sent < total) {
      const socket = await openRawSocket(t, port, PATH);
      const socketId = await socket.socketId();
      for (let batch = 0; batch < BATCHES_PER_SOCKET && sent < total; batch++) {
        for (let n = 0; n < FRAMES_PER_BATCH; n++) {
          socket.sendText(mutated(random, pick(random, validFrames(random, socketId))));
        }
        sent += FRAMES_PER_BATCH;
        await answered(socket);
        socket.frames.length = 1;
        socket.texts.length = 0;
      }
      // The last one is no frame at all, or no text.
      const last = Buffer.from(mutated(random, pick(random, validFrames(random, socketId))));
      if (random() < 0.5) socket.sendBytes(mutatedBytes(random, maskedFrame(1, last)));
      else socket.sendFrame(Math.floor(random() * 16), mutatedBytes(random, last));
      socket.destroy();
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work));
}

/** All that was sent has been read: valid UTF-8 in whole frames never ends a connection. */
async function answered(socket: RawSocket): Promise<void> {
  await socket.settled();
  assert.equal(socket.closed, undefined);
}

const REQUESTS_IN_ORDER: readonly ((random: Random) => {
  method: string;
  path: string;
  body?: unknown;
  query?: Record<string, string>;
})[] = [
  (random) => ({
    method: "POST",
    path: "/events",
    body: {
      name: "x",
      channels: ["room-1", pick(random, ["cache-1", "presence-1", "#server-to-user-u1"])],
      data: '{"a":[1,"€"]}',
      socket_id: "1.1",
      info: "subscription_count",
    },
  }),
  () => ({
    method: "POST",
    path: "/batch_events",
    body: {
      batch: [
        { name: "x", channel: "room-2", data: "1" },
        { name: "y", channel: "presence-1", data: "2", info: "user_count" },
      ],
    },
  }),
  (random) => ({
    method: "GET",
    path: pick(random, [
      "/channels",
      "/channels/room-1",
      "/channels/presence-1/users",
      "/channels/cache-1",
    ]),
    query: {
      info: pick(random, ["", "user_count", "cache", "subscription_count"]),
      filter_by_prefix: "presence-",
    },
  }),
  () => ({ method: "POST", path: "/users/u1/terminate_connections", body: {} }),
];

async function fuzzRequests(
  t: TestContext,
  port: number,
  random: Random,
  total: number,
): Promise<ReadonlyMap<number, number>> {
  const statuses = new Map<number, number>();
  const count = (status: number): void => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  let sent = 0;
  async function work(): Promise<void> {
    while (sent < total) {
      sent += 1;
      const valid = pick(random, REQUESTS_IN_ORDER)(random);
      const { method, path, query = {} } = valid;
      const text = valid.body === undefined ? "" : mutated(random, valid.body);
      // Signed after the body was spoiled: it would else be refused unread.
      const spoiled = Buffer.from(text);
      const body = random() < 0.05 ? mutatedBytes(random, spoiled) : spoiled;
      const target = signedTarget({ method, path, query, body });
      if (random() < 0.6) {
        count((await send(port, method, target, {}, body)).status);
        continue;
      }
      const head = `${method} ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`;
      const bytes = mutatedBytes(random, Buffer.concat([Buffer.from(head), body]));
      const answer = await sendBytes(t, port, [bytes], undefined, true);
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
      // 505 is uWebSockets.js's word for what is no HTTP/1.1.
      count(status === 505 ? 400 : status);
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, work));
  return statuses;
}

test("50,000 spoiled frames and 10,000 spoiled requests harm nobody but their senders", async (t) => {
  const seed = Number(process.env.PIPIT_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`# fuzz seed ${seed}`);
  const random = createSeededRandom(seed);
  const server = await startServer(t);
  const bystanders: RawSocket[] = [];
  for (let n = 0; n < 3; n++) {
    const socket = await openRawSocket(t, server.port, PATH);
    await subscribe(socket, "private-bystanders");
    bystanders.push(socket);
  }
  // What is compiled and allocated once is not growth.
  await fuzzFrames(t, server.port, random, FRAMES / 10);
  await fuzzRequests(t, server.port, random, REQUESTS / 10);
  const before = await settledMemory(t, server, bystanders);

  await fuzzFrames(t, server.port, random, FRAMES);
  const statuses = await fuzzRequests(t, server.port, random, REQUESTS);
  console.log(`# answers ${JSON.stringify(Object.fromEntries(statuses))}`);
  assert.ok(server.isAlive(), server.output());
  assert.equal(server.output(), "");
  const faults = [...statuses.keys()].filter((status) => status >= 500);
  assert.deepEqual(faults, [], "a bug of the server answers 500");
  assert.ok((statuses.get(200) ?? 0) > REQUESTS / 20, "some were still valid");
  assert.ok((statuses.get(400) ?? 0) > REQUESTS / 5, "many were read and refused");
  const received = await metric(server, "pipit_ws_messages_received_total");
  assert.ok(received >= FRAMES, `${received} frames were read`);

  const after = await settledMemory(t, server, bystanders);
  console.log(
    `# heap ${(before.heap / MB).toFixed(1)} → ${(after.heap / MB).toFixed(1)} MB, rss ${(before.rss / MB).toFixed(0)} → ${(after.rss / MB).toFixed(0)} MB`,
  );
  assert.ok(after.heap - before.heap < 10 * MB, "the heap is back near its start");
  assert.ok(after.rss - before.rss < 100 * MB, "so is the process");

  for (const socket of bystanders) await answered(socket);
  await assertUsable(t, server.port, bystanders);
});

async function metric(server: FuzzedServer, name: string): Promise<number> {
  const { text } = await send(server.metricsPort, "GET", "/metrics");
  let sum = 0;
  for (const line of text.split("\n")) {
    if (line.startsWith(`${name}{`)) sum += Number(line.split(" ").at(-1));
  }
  return sum;
}

/** Once all senders are gone and the graces of their channels are over. */
async function settledMemory(
  t: TestContext,
  server: FuzzedServer,
  bystanders: readonly RawSocket[],
): Promise<Memory> {
  await until(
    "only the bystanders are connected",
    async () => (await metric(server, "pipit_connected")) === bystanders.length,
  );
  await graceOver(t, server.port, bystanders[0] as RawSocket);
  return server.memory();
}

/** Lets a user leave and waits for the watcher to hear of it: by then whoever left earlier is forgotten. */
async function graceOver(t: TestContext, port: number, watcher: RawSocket): Promise<void> {
  const marker = await openRawSocket(t, port, PATH);
  const id = `marker-${await marker.socketId()}`;
  await signIn(marker, { id });
  await sendSignIn(watcher, { id: "watcher", watchlist: [id] });
  const told = (name: string): Promise<Frame> =>
    watcher.frame(
      `the marker is ${name}`,
      ({ data }) => typeof data === "string" && data.includes(name) && data.includes(id),
    );
  await told("online");
  marker.destroy();
  await told("offline");
}

async function assertUsable(
  t: TestContext,
  port: number,
  bystanders: readonly RawSocket[],
): Promise<void> {
  const library = createBackend(port);
  const client = await connectClient(t, port, library, { userId: "ann" });
  await client.subscribe("presence-after");
  const room = await client.subscribe("private-bystanders");
  const answer = await library.get({ path: "/channels/presence-after/users" });
  assert.deepEqual(await answer.json(), { users: [{ id: "ann" }] });
  await library.trigger("private-bystanders", "news", { n: 1 });
  room.trigger("client-x", { n: 2 });
  for (const socket of bystanders) {
    await socket.frame("the event comes", ({ event }) => event === "news");
    await socket.frame("the client event comes", ({ event }) => event === "client-x");
  }
  await until("the client has it too", () => client.eventsOn("private-bystanders").length > 0);
}
