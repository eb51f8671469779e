/** A receiver that is killed in the middle of a stream of events and comes back later. */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import Pusher from "pusher";
import { freePort } from "../support/free-port.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const EVENTS = 1_000;
const CHANNELS = 10;
/** How long the receiver stays away once its absence has been noticed. */
const OUTAGE_MS = Number(process.env.PIPIT_TEST_OUTAGE_MS ?? 0);

interface Arrival {
  readonly id: string;
  readonly channel: string;
  readonly n: number;
}

test("a receiver killed amid 1,000 events has all of them after its return, in order, and delays no other endpoint", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "pipit-receiver-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "arrivals");
  const port = await freePort();
  const healthy = await startReceiver(t, APP);
  const latenciesMs: number[] = [];
  const sentAtMs: number[] = [];
  healthy.answer = (response, { events }) => {
    for (const { data } of events)
      latenciesMs.push(performance.now() - (sentAtMs[JSON.parse(data ?? "")] ?? 0));
    response.end("{}");
  };
  const pipit = await startPipit(
    t,
    {
      max_client_events_per_second: -1,
      webhooks: [
        { id: "killed", url: `http://127.0.0.1:${port}/`, event_types: ["client_event"] },
        { id: "healthy", url: healthy.url, event_types: ["client_event"] },
      ],
    },
    { webhooks: { retry: { initial_ms: 100, max_ms: 1_000 } } },
  );
  let receiver = await startProcess(port, file);
  t.after(() => receiver.kill("SIGKILL"));

  const client = await pipit.raw();
  const socketId = await client.socketId();
  for (let c = 0; c < CHANNELS; c++) {
    const channel = `private-${c}`;
    const { auth } = pipit.pusher.authorizeChannel(socketId, channel);
    client.send({ event: "pusher:subscribe", data: { channel, auth } });
  }
  await client.settled();
  for (let n = 0; n < EVENTS; n++) {
    sentAtMs[n] = performance.now();
    client.send({ event: "client-tick", channel: `private-${n % CHANNELS}`, data: n });
    // Spread over several batches, so that the kill falls into the middle of the stream.
    if (n % 50 === 49) await client.settled();
    if (n === EVENTS / 2) {
      await until("some have arrived", () => arrivals(file).length > 0);
      receiver.kill("SIGKILL");
    }
  }
  await until("the healthy endpoint has everything", () => latenciesMs.length >= EVENTS, 20_000);
  const before = arrivals(file);
  assert.ok(
    new Set(before.map(({ n }) => n)).size < EVENTS,
    "the killed receiver still lacks some",
  );
  if (OUTAGE_MS > 0) await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));

  receiver = await startProcess(port, file);
  await until(
    "the killed receiver has everything",
    () => new Set(arrivals(file).map(({ n }) => n)).size === EVENTS,
    30_000,
  );
  assertFirstArrivalsInOrder(arrivals(file));
  assert.equal(
    healthy.deliveries.every(({ isValid }) => isValid),
    true,
  );
  latenciesMs.sort((a, b) => a - b);
  t.diagnostic(
    `healthy endpoint: p50 ${latenciesMs[EVENTS / 2]?.toFixed(0)} ms, p99 ${latenciesMs[EVENTS * 0.99]?.toFixed(0)} ms; ` +
      `killed endpoint: ${arrivals(file).length - EVENTS} repeats of ${EVENTS} events`,
  );
});

/** By id: each event once, and in each channel in the order in which it was sent. */
function assertFirstArrivalsInOrder(all: readonly Arrival[]): void {
  const seen = new Map<string, Arrival>();
  for (const arrival of all) if (!seen.has(arrival.id)) seen.set(arrival.id, arrival);
  assert.equal(seen.size, EVENTS, "as many ids as events: none lost, none invented");
  for (let c = 0; c < CHANNELS; c++) {
    const numbers = [...seen.values()]
      .filter(({ channel }) => channel === `private-${c}`)
      .map(({ n }) => n);
    assert.deepEqual(
      numbers,
      Array.from({ length: EVENTS / CHANNELS }, (_, i) => i * CHANNELS + c),
    );
  }
}

/** What the process has on disk, every signature checked by the library. */
function arrivals(file: string): Arrival[] {
  if (!existsSync(file)) return [];
  const library = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: "x" });
  return (
    readFileSync(file, "utf8")
      .split("\n")
      // What follows the last newline is being written, or was when its process was killed.
      .slice(0, -1)
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .flatMap((line) => {
        const { headers, body } = JSON.parse(line) as {
          headers: Record<string, string>;
          body: string;
        };
        assert.ok(library.webhook({ headers, rawBody: body }).isValid());
        const ids = headers["x-pipit-event-ids"]?.split(",") ?? [];
        const { events } = JSON.parse(body) as { events: { channel: string; data: string }[] };
        assert.equal(ids.length, events.length);
        return events.map(({ channel, data }, i) => ({
          id: ids[i]?.trim() ?? "",
          channel,
          n: Number(data),
        }));
      })
  );
}

async function startProcess(port: number, file: string): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("receiver-process.mjs", import.meta.url));
  const child = fork(script, [String(port), file], { execArgv: [] });
  await new Promise<void>((resolve, reject) => {
    child.once("message", () => resolve());
    child.once("exit", (code) => reject(new Error(`The receiver ended with ${code}.`)));
  });
  return child;
}
