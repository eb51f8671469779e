/** What does it cost that somebody joins a presence channel of fifty and leaves it again? */
import type { Endpoint } from "../support/endpoint.ts";
import { type LoadClient, openClients, openLoadClient } from "../support/load-client.ts";
import { createTally } from "../support/tally.ts";
import { jsonFrame } from "../support/websocket-frames.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

export const presence: Scenario = {
  name: "presence",
  title: "presence join + leave, channel of 50",
  unit: "pair",
  quantity: "cpu",
  goal: { kind: "ratio", most: 1.15 },
  sides: ["bare", "pipit"],
  takesTarget: true,
  open,
};

const CHANNELS = 4;
const MEMBERS = 50;
const PAIRS_PER_CHANNEL = 200;

/** Each channel has one visitor who comes and goes: the list for the visitor, the news for all the others. */
async function open(endpoint: Endpoint, scale: number, publisher = endpoint): Promise<Load> {
  const members = scaled(MEMBERS, scale, 2);
  const tally = createTally("presence");
  const events = { onDeliveries: tally.add, onLost: tally.fail };
  const join = async (channel: number, user: string): Promise<LoadClient> => {
    const client = await openLoadClient(endpoint, events);
    await client.subscribe(channelOf(channel), memberData(user));
    return client;
  };
  const clients: LoadClient[] = [];
  for (let n = 0; n < members; n += 1) {
    const joined = await Promise.all(
      Array.from({ length: CHANNELS }, (_, channel) => join(channel, `user-${n}`)),
    );
    clients.push(...joined);
  }
  // member_added of those who joined after them.
  const told = (CHANNELS * members * (members - 1)) / 2;
  while (tally.total < told) await new Promise((resolve) => setImmediate(resolve));

  const visitors = await openClients(CHANNELS, () => openLoadClient(publisher, events));
  const visits = visitors.map((visitor, channel) => ({
    visitor,
    join: visitor.subscribeFrame(channelOf(channel), memberData("visitor")),
    leave: jsonFrame({ event: "pusher:unsubscribe", data: { channel: channelOf(channel) } }),
  }));

  async function visitAll(): Promise<void> {
    const joined = tally.expect(CHANNELS * (members + 1));
    for (const { visitor, join: frame } of visits) visitor.socket.write(frame);
    await joined;
    const left = tally.expect(CHANNELS * members);
    for (const { visitor, leave } of visits) visitor.socket.write(leave);
    await left;
  }

  const first = clients[0]?.nextText();
  const [visit] = visits;
  visit?.visitor.socket.write(visit.join);
  const sample = (await first) ?? "";
  visit?.visitor.socket.write(visit.leave);
  while (tally.total < told + members * 2) await new Promise((resolve) => setImmediate(resolve));

  return {
    sample,
    async round() {
      const pairs = scaled(PAIRS_PER_CHANNEL, scale, 2);
      for (let n = 0; n < pairs; n += 1) await visitAll();
      return { units: pairs * CHANNELS };
    },
    end: tally.end,
    close() {
      for (const client of [...clients, ...visitors]) client.close();
    },
  };
}

function channelOf(n: number): string {
  return `presence-room-${n}`;
}

function memberData(user: string): string {
  return JSON.stringify({ user_id: user, user_info: { name: `The one called ${user}` } });
}
