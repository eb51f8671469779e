/** What does a client event cost on a channel of two? */
import type { Endpoint } from "../support/endpoint.ts";
import { type LoadClient, openClients, openLoadClient } from "../support/load-client.ts";
import { createTally } from "../support/tally.ts";
import { jsonFrame } from "../support/websocket-frames.ts";
import { eventOfLength } from "./fan-out.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

export const clientEvents: Scenario = {
  name: "client-event",
  title: "client event, private channel with 2 members",
  unit: "event",
  quantity: "cpu",
  goal: { kind: "ratio", most: 1.3 },
  sides: ["bare", "pipit"],
  takesTarget: true,
  open,
};

const FRAME_BYTES = 200;
const PAIRS = 50;
const EVENTS_PER_PAIR = 500;

/** Pairs who send to and fro, each with one event on its way. */
async function open(endpoint: Endpoint, scale: number, publisher = endpoint): Promise<Load> {
  const pairs = scaled(PAIRS, scale);
  const tally = createTally("client events");
  const clients: LoadClient[] = [];
  const frames = Array.from({ length: pairs }, (_, n) =>
    jsonFrame(eventOfLength(channelOf(n), FRAME_BYTES)),
  );
  /** Events that each pair has still to send in this round. */
  const toSend = new Array<number>(pairs).fill(0);

  function send(pair: number, from: LoadClient | undefined): void {
    const frame = frames[pair];
    if (frame === undefined || (toSend[pair] ?? 0) === 0) return;
    toSend[pair] = (toSend[pair] ?? 0) - 1;
    from?.socket.write(frame);
  }

  await openClients(pairs * 2, async (n) => {
    const pair = n >> 1;
    const client = await openLoadClient(n % 2 === 0 ? endpoint : publisher, {
      onDeliveries(count) {
        tally.add(count);
        send(pair, clients[n]);
      },
      onLost: tally.fail,
    });
    await client.subscribe(channelOf(pair));
    clients[n] = client;
  });
  const first = clients[0]?.nextText();
  clients[1]?.socket.write(frames[0] ?? "");
  const sample = (await first) ?? "";

  return {
    sample,
    async round() {
      const perPair = scaled(EVENTS_PER_PAIR, scale, 2);
      toSend.fill(perPair);
      const delivered = tally.expect(pairs * perPair);
      for (let pair = 0; pair < pairs; pair += 1) send(pair, clients[pair * 2]);
      await delivered;
      return { units: pairs * perPair };
    },
    end: tally.end,
    close() {
      for (const client of clients) client.close();
    },
  };
}

function channelOf(pair: number): string {
  return `private-pair-${pair}`;
}
