/** One of the two servers of bench/fan-out.ts with its clients, and the publishing that is measured. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LoadClient, openLoadClient } from "./load-client.ts";
import { freePort, type ServerProcess, startServer } from "./server-process.ts";
import { maskedFrame, OPCODE } from "./websocket-frames.ts";

export interface Scenario {
  readonly name: string;
  /** Published in one write, so that a server reads and publishes them in one turn. */
  readonly perBurst: number;
  readonly bursts: number;
}

export interface Side {
  readonly name: "pipit" | "bare";
  readonly server: ServerProcess;
  readonly subscribers: number;
  /** The first frame that a subscriber was delivered. */
  firstDelivery(): string;
  /**
   * Publishes burst after burst, each once all of the last has been delivered. Rejects when a delivery is
   * missing, when there is one too many, or when a client is disconnected.
   */
  publish(scenario: Scenario): Promise<void>;
  close(): Promise<void>;
}

const CHANNEL = "private-fan-out";
const KEY = "bench-key";
const SECRET = "bench-secret";
const CONNECTS_AT_ONCE = 100;
const BURST_TIMEOUT_MS = 20_000;

/** A client event whose JSON, as Pipit writes it too, has this many bytes. */
export function eventOfLength(bytes: number): string {
  const event = (data: string) => JSON.stringify({ event: "client-tick", channel: CHANNEL, data });
  return event("x".repeat(bytes - event("").length));
}

/** Starts the server and joins `subscribers` clients and one more, the publisher, to one channel. */
export async function openSide(
  name: Side["name"],
  subscribers: number,
  event: string,
  folder: string,
): Promise<Side> {
  const port = await freePort();
  const server = await startServer(
    name === "pipit"
      ? ["dist/main.js", "start", "--config", writeConfig(folder, port)]
      : ["--import", "tsx", "bench/bare-server.ts", String(port)],
    port,
  );
  const clients: LoadClient[] = [];
  let delivered = 0;
  let first = "";
  let lost: string | undefined;
  let onDelivery = () => {};

  const open = () =>
    openLoadClient({
      port,
      path: `/app/${KEY}?protocol=7`,
      channel: CHANNEL,
      key: KEY,
      secret: SECRET,
      onText(payload) {
        if (first === "") first = payload.toString();
        delivered += 1;
        onDelivery();
      },
      onLost(why) {
        lost = why;
        onDelivery();
      },
    });

  async function close(): Promise<void> {
    for (const client of clients) client.close();
    await server.stop();
  }

  try {
    while (clients.length < subscribers + 1) {
      const count = Math.min(CONNECTS_AT_ONCE, subscribers + 1 - clients.length);
      clients.push(...(await Promise.all(Array.from({ length: count }, open))));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const frame = maskedFrame(OPCODE.text, Buffer.from(event));

  /** Resolves once every subscriber has been delivered the whole burst. */
  function publishBurst(burst: Buffer, deliveries: number): Promise<void> {
    const wanted = delivered + deliveries;
    return new Promise((resolve, reject) => {
      const settle = (problem?: string) => {
        clearTimeout(timer);
        onDelivery = () => {};
        if (problem === undefined) resolve();
        else reject(new Error(`${name}: ${problem}`));
      };
      const timer = setTimeout(
        () => settle(`${wanted - delivered} deliveries of ${deliveries} did not come.`),
        BURST_TIMEOUT_MS,
      );
      onDelivery = () => {
        if (lost !== undefined) settle(`a client was ${lost}.`);
        else if (delivered === wanted) settle();
      };
      clients[0]?.socket.write(burst);
    });
  }

  return {
    name,
    server,
    subscribers,
    firstDelivery: () => first,
    async publish({ perBurst, bursts }) {
      const burst = Buffer.concat(Array.from({ length: perBurst }, () => frame));
      const before = delivered;
      for (let sent = 0; sent < bursts; sent += 1) {
        await publishBurst(burst, perBurst * subscribers);
      }
      const tooMany = delivered - before - bursts * perBurst * subscribers;
      if (tooMany !== 0) throw new Error(`${name}: ${tooMany} deliveries more than were sent.`);
    },
    close,
  };
}

function writeConfig(folder: string, port: number): string {
  const file = join(folder, "config.json");
  const app = {
    id: "1",
    key: KEY,
    secret: SECRET,
    enable_client_messages: true,
    max_client_events_per_second: -1,
  };
  const config = {
    port,
    metrics: { enabled: false },
    log: { level: "warn" },
    app_manager: { apps: [app] },
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
