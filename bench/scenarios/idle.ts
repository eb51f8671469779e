/** What does a connection weigh that has one subscription and is silent? */
import type { Endpoint } from "../support/endpoint.ts";
import { openClients, openLoadClient } from "../support/load-client.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

export const idle: Scenario = {
  ...idleOf(10_000),
  name: "idle-10k",
  title: "10,000 idle connections with one subscription, settled",
  goal: { kind: "absolute", most: 2_048 },
};

/** File descriptors of one process often end at 20,000. */
export const idleMost: Scenario = {
  ...idleOf(15_000),
  name: "idle-15k",
  title: "15,000 idle connections with one subscription, settled",
  goal: undefined,
};

const CHANNELS = 1_000;

function idleOf(connections: number): Omit<Scenario, "name" | "title" | "goal"> {
  return {
    unit: "connection",
    quantity: "memory",
    sides: ["bare", "pipit"],
    takesTarget: false,
    open: (endpoint, scale) => open(endpoint, scaled(connections, scale, 10)),
  };
}

async function open(endpoint: Endpoint, connections: number): Promise<Load> {
  let failure: Error | undefined;
  const clients = await openClients(connections, async (n) => {
    const client = await openLoadClient(endpoint, {
      onDeliveries() {},
      onLost(why) {
        failure ??= new Error(`idle: a client was ${why}.`);
      },
    });
    await client.subscribe(`private-room-${n % CHANNELS}`);
    return client;
  });
  return {
    sample: "",
    async round() {
      if (failure !== undefined) throw failure;
      return { units: connections };
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}
