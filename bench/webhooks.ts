/**
 * What does a webhook event cost from its decision to the receiver's 200, beside BullMQ moving the same events as jobs?
 *
 *   npm run bench:webhooks -- [--rounds 5] [--seconds 3] [--rates 200,1000,5000,max] [--sides pipit,bullmq]
 *
 * Both share one redis-server of this bench and take turns, each in a process of its own, and the receiver is a
 * function that answers 200 at once, then one that is posted to. Counted is the CPU time of the side's process and of
 * Redis. Every delivery is counted too: one too few or too many fails the run. Loopback; ends by itself within some
 * minutes and writes bench/results/webhooks.{md,json}.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRedis } from "../test/support/redis-server.ts";
import { type Cost, redisVersion } from "./support/cost.ts";
import { writeReport } from "./support/report.ts";
import { spreadOf, spreadText } from "./support/statistics.ts";
import type { Moved, Wrote } from "./support/webhook-load.ts";
import { type Runner, type SideName, startRunner } from "./support/webhook-runner.ts";
import type { Rate } from "./support/webhook-task.ts";

interface Measured {
  readonly moves: Moved[];
  readonly writes: Wrote[];
  /** What the event costs on top of the write that decides it. */
  readonly nets: Cost[];
}

const TITLES = { pipit: "Pipit", bullmq: "BullMQ" };
const NO_WRITES: Wrote = { nodesUs: 0, redisUs: 0, eventsPerWrite: undefined };
const NOTHING: Measured = { moves: [], writes: [], nets: [] };
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAX_ROUNDS = 20;
/** At saturation. */
const EVENTS_AT_ONCE = 15_000;
/** A server runs for days: what V8 has not compiled yet costs twice as much. */
const WARM_UP = 60_000;
const WARM_UP_RATE = 5_000;
const IDLE_S = 10;

process.chdir(ROOT);
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    rates: { type: "string", default: "200,1000,5000,max" },
    sides: { type: "string", default: "pipit,bullmq" },
    "no-report": { type: "boolean", default: false },
  },
});
const rounds = readNumber("rounds", values.rounds, MAX_ROUNDS);
const seconds = readNumber("seconds", values.seconds, 60);
const rates = values.rates.split(",").map(readRate);
const ways = [false, true];
const receiver = createServer((request, response) => {
  request.resume().on("end", () => response.end());
}).listen(0, "127.0.0.1");
await once(receiver, "listening");
const names = values.sides.split(",").map(readSide);
const server = await startRedis(undefined);
const results = new Map<string, Measured>();
const idle = new Map<SideName, Cost>();

const runners = names.map((name) => startRunner(name, server.url));

try {
  for (const runner of runners) {
    await runner.writes(undefined, WARM_UP / 2);
    await runner.move(undefined, WARM_UP);
    await runner.writes(WARM_UP_RATE, WARM_UP / 3);
    await runner.move(WARM_UP_RATE, WARM_UP / 2);
    await runner.move(undefined, WARM_UP / 2, hookUrl());
    const cost = await runner.idle(IDLE_S);
    idle.set(runner.name, cost);
    console.log(`idle  ${runner.name}  ${shareText(cost.nodesUs)} + ${shareText(cost.redisUs)}`);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const rate of rates) {
      for (const isPosted of ways) {
        for (const runner of round % 2 === 0 ? runners : runners.toReversed()) {
          await measure(runner, rate, isPosted, round);
        }
      }
    }
  }
  if (values["no-report"] !== true) await report();
} finally {
  for (const runner of runners) runner.close();
  receiver.close();
  receiver.closeAllConnections();
  await server.stop();
}

function readNumber(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new RangeError(`--${name} is ${JSON.stringify(text)}, allowed: 1 to ${most}.`);
}

function readRate(text: string): Rate {
  return text === "max" ? undefined : readNumber("rates", text, 1_000_000);
}

function readSide(text: string): SideName {
  if (text === "pipit" || text === "bullmq") return text;
  throw new RangeError(`--sides has ${JSON.stringify(text)}, allowed: pipit, bullmq.`);
}

async function measure(
  { name, writes: write, move }: Runner,
  rate: Rate,
  isPosted: boolean,
  round: number,
): Promise<void> {
  const count = rate === undefined ? EVENTS_AT_ONCE : rate * seconds;
  const moved = await move(rate, count, isPosted ? hookUrl() : undefined);
  // For BullMQ there is nothing to be taken off: the write that decides is not in its figure.
  const { eventsPerWrite } = moved;
  const writes =
    eventsPerWrite === undefined ? NO_WRITES : await write(rate, count, eventsPerWrite);
  const net = {
    nodesUs: moved.nodesUs - writes.nodesUs,
    redisUs: moved.redisUs - writes.redisUs,
  };
  const measured = results.get(keyOf(name, rate, isPosted)) ?? { moves: [], writes: [], nets: [] };
  results.set(keyOf(name, rate, isPosted), measured);
  measured.moves.push(moved);
  measured.writes.push(writes);
  measured.nets.push(net);
  console.log(
    `round ${round + 1}  ${keyOf(name, rate, isPosted)}  ` +
      `${net.nodesUs.toFixed(1)} + ${net.redisUs.toFixed(1)} µs on top of ` +
      `${writes.nodesUs.toFixed(1)} + ${writes.redisUs.toFixed(1)} µs ` +
      `(${eventsPerWrite?.toFixed(1)} and ${writes.eventsPerWrite?.toFixed(1)} a write), ` +
      `${moved.perSecond.toFixed(0)}/s, ${moved.eventsPerPost.toFixed(1)} a POST`,
  );
}

function keyOf(name: string, rate: Rate, isPosted: boolean): string {
  return `${name} ${rateText(rate)}${isPosted ? ", posted" : ""}`;
}

function hookUrl(): string {
  return `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
}

function rateText(rate: Rate): string {
  return rate === undefined ? "saturation" : `${rate.toLocaleString("en")}/s`;
}

function shareText(usPerSecond: number): string {
  return `${(usPerSecond / 10_000).toFixed(2)} %`;
}

async function report(): Promise<void> {
  const sum = ({ nodesUs, redisUs }: Cost): number => nodesUs + redisUs;
  const text = (numbers: readonly number[]): string => spreadText(spreadOf(numbers), 1);
  const rows = ways
    .flatMap((isPosted) => rates.map((rate) => ({ rate, isPosted })))
    .flatMap(({ rate, isPosted }) => {
      const pipit = results.get(keyOf("pipit", rate, isPosted));
      return names.map((name) => {
        const { moves, writes, nets } = results.get(keyOf(name, rate, isPosted)) ?? NOTHING;
        const ratios = nets.map((net, i) => sum(net) / sum(pipit?.nets[i] ?? net));
        return [
          rateText(rate) + (isPosted ? ", posted" : ""),
          TITLES[name],
          text(nets.map(({ nodesUs }) => nodesUs)),
          text(nets.map(({ redisUs }) => redisUs)),
          text(nets.map(sum)),
          name === "pipit" ? "" : `${spreadText(spreadOf(ratios), 1)}×`,
          name === "pipit" ? text(writes.map(sum)) : "",
          spreadOf(moves.map(({ perSecond }) => perSecond)).median.toFixed(0),
          spreadOf(moves.map(({ eventsPerPost }) => eventsPerPost)).median.toFixed(1),
        ];
      });
    });
  const idleText = [...idle].map(
    ([name, { nodesUs, redisUs }]) =>
      `${TITLES[name]} ${shareText(nodesUs)} in the node and ${shareText(redisUs)} in Redis`,
  );
  const table = writeReport(ROOT, {
    name: "webhooks",
    title: "What does a webhook event cost?",
    command: `npm run bench:webhooks -- --rounds ${rounds} --seconds ${seconds}`,
    method:
      `CPU time in µs per event, of the node and of Redis: median of ${rounds} rounds (lowest–highest), in turns on one ` +
      "Redis, each side in a process of its own that is warm. It goes from the decision to the receiver's 200: the node's is that " +
      "of the process where events are decided, queued, dispatched, signed and taken by a function that answers 200 " +
      "at once: the queue alone. *Posted* is all of it, over HTTP to a receiver in another process, by the same code on " +
      "both sides; Pipit needs one POST where BullMQ needs as many as the last column says.\n\n" +
      "Pipit is the channel state, in which channels become occupied, and the dispatcher: 64 partitions on one node, " +
      "as they run in the server. The event enters the outbox in the script that decides it, so its cost is what " +
      "comes on top of *the write*, which is there without webhooks too: the same writes, measured alone, with the two " +
      "lines taken out of their script that append the event and wake the dispatcher. A write costs less per event the " +
      "more it decides, so at saturation each decides as many alone as in the move before. BullMQ gets a job for each " +
      "event as it is decided, and has a worker with 100 under way; the write that decides is not in its figure. " +
      "*Times Pipit* is both, in each round.\n\n" +
      `Idle, in shares of a core: ${idleText.join("; ")}, heartbeats and leases of the channel state among it. ` +
      "How many events a second is what this machine did while others used it too.",
    columns: [
      "events",
      "",
      "node",
      "Redis",
      "both",
      "times Pipit",
      "the write",
      "events/s",
      "events a POST",
    ],
    rows,
    raw: {
      idle: Object.fromEntries(idle),
      results: [...results].map(([of, measured]) => ({ of, ...measured })),
    },
    versions: { redis: await redisVersion(server), bullmq: "6.7.0", partitions: "64" },
  });
  console.log(`\n${table}\n\nWritten to bench/results/webhooks.md and .json.`);
}
