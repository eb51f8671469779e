/** How long is a message on its way while the server has half of what it can take to do? */
import type { Endpoint } from "../support/endpoint.ts";
import { createHttpClient } from "../support/http-client.ts";
import { openClients, openLoadClient } from "../support/load-client.ts";
import { signedPost } from "../support/signed-request.ts";
import { quantileOf } from "../support/statistics.ts";
import { createTally } from "../support/tally.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

export const latency: Scenario = {
  name: "latency",
  title: "p99 from POST to delivery, 10 subscribers, at half of Pipit's load",
  unit: "message",
  quantity: "latency",
  goal: { kind: "ratio", most: 1.2 },
  sides: ["bare", "pipit"],
  takesTarget: true,
  open,
};

const CHANNEL = "private-ticker";
const SUBSCRIBERS = 10;
const CONNECTIONS = 64;
const SECONDS = 2;
const SATURATING_REQUESTS = 6_000;

async function open(endpoint: Endpoint, scale: number): Promise<Load> {
  const tally = createTally("latency");
  const latenciesMs: number[] = [];
  /** When each message was due to be sent, in order: a channel delivers in order of publication. */
  const sentAtMs: number[] = [];
  const received = new Array<number>(SUBSCRIBERS).fill(0);
  let perSecond = 1_000;

  const clients = await openClients(SUBSCRIBERS, async (n) => {
    const client = await openLoadClient(endpoint, {
      onDeliveries(count) {
        const nowMs = performance.now();
        for (let each = 0; each < count; each += 1) {
          const at = received[n] ?? 0;
          received[n] = at + 1;
          latenciesMs.push(nowMs - (sentAtMs[at] ?? nowMs));
        }
        tally.add(count);
      },
      onLost: tally.fail,
    });
    await client.subscribe(CHANNEL);
    return client;
  });
  const free = Array.from({ length: CONNECTIONS }, () => createHttpClient(endpoint));
  const all = [...free];
  const sign = () => signedPost(endpoint, "/events", event());

  function reset(): void {
    latenciesMs.length = 0;
    sentAtMs.length = 0;
    received.fill(0);
  }

  /** Sends as soon as a connection is free; `onDone` when the answer is there. */
  function send(request: Buffer, dueMs: number, onDone: () => void): boolean {
    const connection = free.pop();
    if (connection === undefined) return false;
    sentAtMs.push(dueMs);
    connection.send(request, (status) => {
      free.push(connection);
      if (status !== 200) tally.fail(`answered with ${status}`);
      onDone();
    });
    return true;
  }

  const first = clients[0]?.nextText();
  send(sign(), performance.now(), () => {});
  const sample = (await first) ?? "";
  while (tally.total < SUBSCRIBERS - 1) await new Promise((resolve) => setImmediate(resolve));

  return {
    sample,
    async saturate() {
      reset();
      const request = sign();
      const requests = scaled(SATURATING_REQUESTS, scale, CONNECTIONS);
      const delivered = tally.expect(requests * SUBSCRIBERS);
      const startedMs = performance.now();
      let sent = 0;
      const next = (): void => {
        while (sent < requests && send(request, performance.now(), next)) sent += 1;
      };
      next();
      await delivered;
      return (requests * 1_000) / (performance.now() - startedMs);
    },
    pace(unitsPerSecond) {
      perSecond = unitsPerSecond;
    },
    async round() {
      reset();
      const request = sign();
      const requests = Math.max(10, Math.floor(perSecond * SECONDS * Math.min(1, scale)));
      const delivered = tally.expect(requests * SUBSCRIBERS);
      const startedMs = performance.now();
      let sent = 0;
      // A turn of the loop after the other: a timer would send in bursts of its own step.
      const tick = (): void => {
        const due = Math.min(requests, ((performance.now() - startedMs) * perSecond) / 1_000);
        while (sent < due) {
          const dueMs = startedMs + (sent * 1_000) / perSecond;
          if (!send(request, dueMs, () => {})) break;
          sent += 1;
        }
        if (sent < requests) setImmediate(tick);
      };
      tick();
      await delivered;
      return { units: requests, p99Ms: quantileOf(latenciesMs, 0.99) };
    },
    end: tally.end,
    close() {
      for (const client of clients) client.close();
      for (const connection of all) connection.close();
    },
  };
}

function event(): unknown {
  return { name: "tick", channel: CHANNEL, data: "x".repeat(140) };
}
