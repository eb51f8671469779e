/** What does a connection cost that comes, joins a private channel and goes again? */
import { setTimeout as delay } from "node:timers/promises";
import type { Endpoint } from "../support/endpoint.ts";
import { type LoadClientEvents, openClients, openLoadClient } from "../support/load-client.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

export const connects: Scenario = {
  name: "connect",
  title: "connect + private subscribe with auth + close, at 800/s",
  unit: "connection",
  quantity: "cpu",
  goal: { kind: "ratio", most: 1.2 },
  sides: ["bare", "pipit"],
  takesTarget: true,
  open,
};

const CONNECTIONS = 1_200;
const PER_SECOND = 800;
const CHANNELS = 100;
/** Where a slow machine waits instead of piling up. */
const MAX_AT_ONCE = 200;
const TICK_MS = 5;

async function open(endpoint: Endpoint, scale: number, publisher?: Endpoint): Promise<Load> {
  let failure: unknown;
  let atOnce = 0;
  const events: LoadClientEvents = {
    onDeliveries() {},
    onLost(why) {
      failure ??= new Error(`connections: a client was ${why}.`);
    },
  };
  // In a cluster it matters where a channel has somebody already.
  const holders = await openClients(publisher === undefined ? 0 : CHANNELS, async (n) => {
    const holder = await openLoadClient(endpoint, events);
    await holder.subscribe(channelOf(n));
    return holder;
  });

  async function visit(n: number): Promise<void> {
    atOnce += 1;
    try {
      const client = await openLoadClient(publisher ?? endpoint, events);
      await client.subscribe(channelOf(n));
      await client.leave();
    } finally {
      atOnce -= 1;
    }
  }

  return {
    sample: "",
    async round() {
      const connections = scaled(CONNECTIONS, scale, 10);
      const startedMs = performance.now();
      const visits: Promise<void>[] = [];
      while (visits.length < connections) {
        const due = ((performance.now() - startedMs) * PER_SECOND) / 1_000;
        while (visits.length < Math.min(due, connections) && atOnce < MAX_AT_ONCE) {
          visits.push(visit(visits.length));
        }
        await delay(TICK_MS);
      }
      await Promise.all(visits);
      if (failure !== undefined) throw failure;
      return { units: connections };
    },
    close() {
      for (const holder of holders) holder.close();
    },
  };
}

function channelOf(n: number): string {
  return `private-room-${n % CHANNELS}`;
}
