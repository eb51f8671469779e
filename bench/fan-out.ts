/**
 * What does a delivered message cost against bare uWebSockets.js?
 *
 *   npm run bench -- [--rounds 5] [--subscribers 1000]
 *
 * A client event on one private channel is published into both servers in turns: the publisher's frame comes in
 * over its WebSocket, and every subscriber but the publisher gets a frame of the same bytes from either server.
 * Counted is the CPU time of the server's process, all threads, per delivered message. Each delivery is counted
 * too: a lost one fails the run. Linux, loopback; ends by itself and writes bench/results/fan-out.{md,json}.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadUws } from "../src/transport/uws.ts";
import { eventOfLength, openSide, type Scenario, type Side } from "./support/fan-out-side.ts";
import { writeReport } from "./support/report.ts";
import { spreadOf, spreadText } from "./support/statistics.ts";

interface ScenarioResult {
  readonly scenario: Scenario;
  /** CPU time in µs per delivered message, one figure a round. */
  readonly pipitUs: number[];
  readonly bareUs: number[];
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FRAME_BYTES = 200;
const MAX_ROUNDS = 50;
const MAX_SUBSCRIBERS = 10_000;
const WARM_UP: Scenario = { name: "warm-up", perBurst: 5, bursts: 40 };
const SCENARIOS: readonly Scenario[] = [
  { name: "1 message a turn", perBurst: 1, bursts: 200 },
  { name: "10 messages a turn", perBurst: 10, bursts: 300 },
];

process.chdir(ROOT);
const { rounds, subscribers } = readArguments();
const folder = mkdtempSync(join(tmpdir(), "pipit-bench-"));
const sides: Side[] = [];
try {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
  const event = eventOfLength(FRAME_BYTES);
  for (const name of ["pipit", "bare"] as const) {
    sides.push(await openSide(name, subscribers, event, folder));
  }
  for (const side of sides) await warmUp(side, event);
  await report(await measureAll());
} finally {
  await Promise.all(sides.map((side) => side.close()));
  rmSync(folder, { recursive: true });
}

function readArguments(): { rounds: number; subscribers: number } {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      subscribers: { type: "string", default: "1000" },
    },
  });
  const bounded = (name: "rounds" | "subscribers", max: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw new Error(`--${name} is ${JSON.stringify(values[name])}, allowed are 1 to ${max}.`);
  };
  return {
    rounds: bounded("rounds", MAX_ROUNDS),
    subscribers: bounded("subscribers", MAX_SUBSCRIBERS),
  };
}

/** Lets V8 compile what is measured, and holds what is delivered against what was sent. */
async function warmUp(side: Side, event: string): Promise<void> {
  await side.publish(WARM_UP);
  const delivery = side.firstDelivery();
  if (delivery !== event) throw new Error(`${side.name} delivers ${delivery} for ${event}.`);
}

/** Both sides in turns, and each goes first every other time: what the machine does besides meets both. */
async function measureAll(): Promise<readonly ScenarioResult[]> {
  const results: ScenarioResult[] = SCENARIOS.map((scenario) => ({
    scenario,
    pipitUs: [],
    bareUs: [],
  }));
  for (let round = 0; round < rounds; round += 1) {
    for (const { scenario, pipitUs, bareUs } of results) {
      for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
        const us = await measure(side, scenario);
        (side.name === "pipit" ? pipitUs : bareUs).push(us);
        console.log(`round ${round + 1}  ${scenario.name}  ${side.name}  ${us.toFixed(3)} µs`);
      }
    }
  }
  return results;
}

/** CPU time of the server in µs per delivered message. */
async function measure(side: Side, scenario: Scenario): Promise<number> {
  const before = side.server.cpuUs();
  await side.publish(scenario);
  const deliveries = scenario.perBurst * scenario.bursts * subscribers;
  return (side.server.cpuUs() - before) / deliveries;
}

async function report(results: readonly ScenarioResult[]): Promise<void> {
  const { name, version } = (await loadUws()).loaded;
  const table = writeReport(ROOT, {
    name: "fan-out",
    title: "What does a delivered message cost against bare uWebSockets.js?",
    command: `npm run bench -- --rounds ${rounds} --subscribers ${subscribers}`,
    method:
      `CPU time of the server's process in µs per delivered message, user and system: median of ${rounds} rounds ` +
      `(lowest–highest). ${subscribers} subscribers of one private channel, ${FRAME_BYTES} bytes a message, ` +
      "published as a client event; both servers send the same bytes to the same number of sockets and every " +
      "delivery was counted. The ratio is taken in each round. Sending is most of the cost with one message a " +
      "turn of the event loop; with ten, they share their system calls, and what a server does itself shows.",
    columns: ["", "Pipit", "bare", "ratio"],
    rows: results.map(({ scenario, pipitUs, bareUs }) => [
      scenario.name,
      spreadText(spreadOf(pipitUs)),
      spreadText(spreadOf(bareUs)),
      spreadText(spreadOf(pipitUs.map((us, round) => us / (bareUs[round] ?? Number.NaN)))),
    ]),
    raw: results,
    versions: { "uWebSockets.js": `${name} ${version}` },
  });
  console.log(`\n${table}\n\nWritten to bench/results/fan-out.md and .json.`);
}
