/** What does a channel_occupied or channel_vacated event cost until its receiver has taken it? */
import { createServer, type Server, type Socket } from "node:net";
import { startRedis } from "../../test/support/redis-server.ts";
import { cpuUsOf } from "../support/cpu-time.ts";
import type { Endpoint } from "../support/endpoint.ts";
import { openClients, openLoadClient } from "../support/load-client.ts";
import { createTally, type Tally } from "../support/tally.ts";
import { jsonFrame } from "../support/websocket-frames.ts";
import { type Load, type Scenario, type Surroundings, scaled } from "./scenario.ts";

const CLIENTS = 10;
const CHANNELS = 6_000;
/** A leave is told after the grace of 3 s. */
const SILENCE_MS = 15_000;

export const webhooks: Scenario = {
  ...churn(false),
  name: "webhooks",
  title: "occupied/vacated churn to one receiver, batched, memory outbox",
  goal: { kind: "absolute", most: 20 },
};

export const webhooksRedis: Scenario = {
  ...churn(true),
  name: "webhooks-redis",
  title: "the same with Redis",
  goal: undefined,
};

function churn(hasRedis: boolean): Omit<Scenario, "name" | "title" | "goal"> {
  const tally = createTally("webhooks", SILENCE_MS);
  return {
    unit: "event",
    quantity: "cpu",
    sides: ["pipit"],
    needsRedis: hasRedis,
    takesTarget: false,
    open: (endpoint, scale) => open(endpoint, tally, scale),
    prepare: () => prepare(tally, hasRedis),
  };
}

async function prepare(tally: Tally, hasRedis: boolean): Promise<Surroundings> {
  const receiver = await startReceiver(tally);
  const address = receiver.address();
  if (address === null || typeof address === "string") throw new Error("The receiver has no port.");
  const url = `http://127.0.0.1:${address.port}/`;
  const redis = hasRedis ? await startRedis(undefined) : undefined;
  const app = {
    webhooks: [{ url, event_types: ["channel_occupied" as const, "channel_vacated" as const] }],
  };
  return {
    config: redis === undefined ? { app } : { app, server: { redis: { url: redis.url } } },
    ...(redis === undefined ? {} : { cpuUs: async () => cpuUsOf(redis.pid) }),
    async close() {
      receiver.close();
      await redis?.stop();
    },
  };
}

/** Counts events and answers 200: on raw sockets, since it shares its core with the load. */
async function startReceiver(tally: Tally): Promise<Server> {
  const server = createServer((socket) => receive(socket, tally));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function receive(socket: Socket, tally: Tally): void {
  let text = "";
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (;;) {
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) return;
      const length = Number(/\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const body = text.slice(end + 4, end + 4 + length);
      text = text.slice(end + 4 + length);
      tally.add(body.split('"name":"channel_').length - 1);
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
  });
}

/** Channels that get their only subscriber and lose it again. */
async function open(endpoint: Endpoint, tally: Tally, scale: number): Promise<Load> {
  const clients = await openClients(CLIENTS, () =>
    openLoadClient(endpoint, { onDeliveries() {}, onLost: tally.fail }),
  );
  const channels = scaled(CHANNELS, scale, CLIENTS);
  const frames = Array.from({ length: channels }, (_, n) => {
    const channel = `room-of-usual-length-${n}`;
    return {
      client: clients[n % CLIENTS],
      join: jsonFrame({ event: "pusher:subscribe", data: { channel } }),
      leave: jsonFrame({ event: "pusher:unsubscribe", data: { channel } }),
    };
  });
  return {
    sample: "",
    async round() {
      // In two steps: of a channel that is left before it was told of, a cluster tells nothing.
      const occupied = tally.expect(channels);
      for (const { client, join } of frames) client?.socket.write(join);
      await occupied;
      const vacated = tally.expect(channels);
      for (const { client, leave } of frames) client?.socket.write(leave);
      await vacated;
      return { units: channels * 2 };
    },
    end: tally.end,
    close() {
      for (const client of clients) client.close();
    },
  };
}
