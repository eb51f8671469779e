/** What does a delivered message cost, to one large channel and to many small ones? */
import type { Endpoint } from "../support/endpoint.ts";
import { openClients, openLoadClient } from "../support/load-client.ts";
import { createTally } from "../support/tally.ts";
import { jsonFrame } from "../support/websocket-frames.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

interface FanOut {
  readonly channels: number;
  readonly subscribers: number;
  /** Messages to each channel that are published in one write, so that a server reads them in one turn. */
  readonly perBurst: number;
  readonly bursts: number;
}

const FRAME_BYTES = 200;

export const fanOutOne: Scenario = {
  ...fanOut({ channels: 1, subscribers: 1_000, perBurst: 4, bursts: 80 }),
  name: "fan-out-1x1000",
  title: "fan-out, 1 channel × 1,000 subscribers",
  goal: { kind: "ratio", most: 1.1 },
};

export const fanOutMany: Scenario = {
  ...fanOut({ channels: 100, subscribers: 10, perBurst: 1, bursts: 80 }),
  name: "fan-out-100x10",
  title: "fan-out, 100 channels × 10 subscribers",
  goal: { kind: "ratio", most: 1.2 },
};

function fanOut(shape: FanOut): Omit<Scenario, "name" | "title" | "goal"> {
  return {
    unit: "delivery",
    quantity: "cpu",
    sides: ["bare", "pipit"],
    takesTarget: true,
    open: (endpoint, scale, publisher) => openFanOut(endpoint, shape, scale, publisher),
  };
}

/** Client events of one publisher, who is in all channels and to whom none of them is delivered. */
async function openFanOut(
  endpoint: Endpoint,
  shape: FanOut,
  scale: number,
  publisherAt = endpoint,
): Promise<Load> {
  const subscribers = scaled(shape.subscribers, scale);
  const channels = scaled(shape.channels, scale);
  const tally = createTally("fan-out");
  const events = { onDeliveries: tally.add, onLost: tally.fail };
  const names = Array.from({ length: channels }, (_, n) => `private-fan-out-${n}`);

  const clients = await openClients(channels * subscribers, async (n) => {
    const client = await openLoadClient(endpoint, events);
    await client.subscribe(names[n % channels] ?? "");
    return client;
  });
  const publisher = await openLoadClient(publisherAt, events);
  for (const name of names) await publisher.subscribe(name);

  const frames = names.map((channel) => jsonFrame(eventOfLength(channel, FRAME_BYTES)));
  const once = Buffer.concat(frames);
  const burst = Buffer.concat(Array.from({ length: shape.perBurst }, () => once));
  const first = clients[0]?.nextText();
  publisher.socket.write(once);
  await tally.expect(channels * subscribers - 1);
  const sample = (await first) ?? "";

  return {
    sample,
    async round() {
      const perBurst = shape.perBurst * channels * subscribers;
      const bursts = scaled(shape.bursts, scale, 2);
      for (let sent = 0; sent < bursts; sent += 1) {
        const delivered = tally.expect(perBurst);
        publisher.socket.write(burst);
        await delivered;
      }
      return { units: perBurst * bursts };
    },
    end: tally.end,
    close() {
      for (const client of [...clients, publisher]) client.close();
    },
  };
}

/** A client event whose JSON has this many bytes. */
export function eventOfLength(channel: string, bytes: number): unknown {
  const event = (data: string) => ({ event: "client-tick", channel, data });
  return event("x".repeat(bytes - JSON.stringify(event("")).length));
}
