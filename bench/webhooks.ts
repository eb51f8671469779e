/**
 * What does a webhook event cost from its decision to the receiver's 200, beside BullMQ moving the same events as jobs?
 *
 *   npm run bench:webhooks -- [--rounds 5] [--seconds 3] [--rates 200,1000,5000,max] [--sides pipit,bullmq]
 *
 * Both share one redis-server of this bench and take turns; everything else of both is in this process, and the
 * receiver is a function in it that answers 200 at once, so connections are in neither figure. Counted is the CPU
 * time of this process and of Redis. Every delivery is counted too: one too few or too many fails the run. Loopback;
 * ends by itself within some minutes and writes bench/results/webhooks.{md,json}.
 */
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startRedis } from "../test/support/redis-server.ts";
import { type Cost, measureCost, redisVersion } from "./support/cost.ts";
import { writeReport } from "./support/report.ts";
import { spreadOf, spreadText } from "./support/statistics.ts";
import { openBullmqSide } from "./support/webhook-bullmq.ts";
import { type Moved, measureAdd, measureMove, type Rate } from "./support/webhook-load.ts";
import { openPipitSide } from "./support/webhook-pipit.ts";
import type { WebhookSide } from "./support/webhook-side.ts";

interface Measured {
  readonly moves: Moved[];
  readonly adds: Cost[];
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAX_ROUNDS = 20;
/** At saturation. */
const EVENTS_AT_ONCE = 15_000;
const WARM_UP = 3_000;
const IDLE_S = 10;
const OPENERS = { pipit: openPipitSide, bullmq: openBullmqSide };

process.chdir(ROOT);
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
const names = values.sides.split(",").map(readSide);
const server = await startRedis(undefined);
const results = new Map<string, Measured>();
const idle = new Map<string, Cost>();

try {
  for (const name of names) {
    idle.set(name, await measureIdle(name));
    const side = await OPENERS[name](server, "warm-up:", "one");
    await measureMove(server, side, undefined, WARM_UP);
    await side.close();
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const rate of rates) {
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        await measure(name, rate, round);
      }
    }
  }
  if (values["no-report"] !== true) await report();
} finally {
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

function readSide(text: string): keyof typeof OPENERS {
  if (text === "pipit" || text === "bullmq") return text;
  throw new RangeError(`--sides has ${JSON.stringify(text)}, allowed: pipit, bullmq.`);
}

/** CPU time of all that is open when nothing happens, in µs a second. */
async function measureIdle(name: keyof typeof OPENERS): Promise<Cost> {
  const side = await OPENERS[name](server, "idle:", "one");
  // The first looks are over.
  await delay(1_000);
  const cost = await measureCost(server, IDLE_S, () => delay(IDLE_S * 1_000));
  await side.close();
  console.log(`idle  ${side.name}  ${shareText(cost.nodesUs)} + ${shareText(cost.redisUs)}`);
  return cost;
}

async function measure(name: keyof typeof OPENERS, rate: Rate, round: number): Promise<void> {
  const count = rate === undefined ? EVENTS_AT_ONCE : rate * seconds;
  const add = await alone(name, (side) => measureAdd(server, side, rate, count), "none");
  const moved = await alone(name, (side) => measureMove(server, side, rate, count), "one");
  const measured = results.get(keyOf(name, rate)) ?? { moves: [], adds: [] };
  results.set(keyOf(name, rate), measured);
  measured.moves.push(moved);
  measured.adds.push(add);
  console.log(
    `round ${round + 1}  ${rateText(rate)}  ${name}  ` +
      `${moved.nodesUs.toFixed(1)} + ${moved.redisUs.toFixed(1)} µs, of which adding ` +
      `${add.nodesUs.toFixed(1)} + ${add.redisUs.toFixed(1)} µs, ` +
      `${moved.perSecond.toFixed(0)}/s, ${moved.eventsPerPost.toFixed(1)} a POST`,
  );
}

/** On an empty Redis, with nobody else open. */
async function alone<T>(
  name: keyof typeof OPENERS,
  run: (side: WebhookSide) => Promise<T>,
  consumer: "one" | "none",
): Promise<T> {
  const side = await OPENERS[name](server, "run:", consumer);
  try {
    return await run(side);
  } finally {
    await side.close();
    await server.call("FLUSHALL");
  }
}

function keyOf(name: string, rate: Rate): string {
  return `${name} ${rateText(rate)}`;
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
  const rows = rates.flatMap((rate) => {
    const pipit = results.get(keyOf("pipit", rate));
    return names.map((name) => {
      const { moves, adds } = results.get(keyOf(name, rate)) ?? { moves: [], adds: [] };
      const ratios = moves.map((move, i) => sum(move) / sum(pipit?.moves[i] ?? move));
      return [
        rateText(rate),
        name === "pipit" ? "Pipit" : "BullMQ",
        text(moves.map(({ nodesUs }) => nodesUs)),
        text(moves.map(({ redisUs }) => redisUs)),
        text(moves.map(sum)),
        name === "pipit" ? "" : `${spreadText(spreadOf(ratios), 1)}×`,
        text(adds.map(({ nodesUs }) => nodesUs)),
        text(adds.map(({ redisUs }) => redisUs)),
        spreadOf(moves.map(({ perSecond }) => perSecond)).median.toFixed(0),
        spreadOf(moves.map(({ eventsPerPost }) => eventsPerPost)).median.toFixed(1),
      ];
    });
  });
  const idleText = [...idle].map(
    ([name, { nodesUs, redisUs }]) =>
      `${name === "pipit" ? "Pipit" : "BullMQ"} ${shareText(nodesUs)} in the node and ${shareText(redisUs)} in Redis`,
  );
  const table = writeReport(ROOT, {
    name: "webhooks",
    title: "What does a webhook event cost?",
    command: `npm run bench:webhooks -- --rounds ${rounds} --seconds ${seconds}`,
    method:
      `CPU time in µs per event from its decision to the receiver's 200, of the node and of Redis: median of ${rounds} rounds ` +
      "(lowest–highest), in turns on one Redis. The node's is that of this process, where the events are decided, " +
      "queued, dispatched, signed and taken by a function that answers 200 at once: connections to receivers are " +
      "in neither figure, and a batch has one where BullMQ has one for each event. Pipit is the channel state that " +
      "records events, as it does a client event, and the dispatcher, 64 partitions on one node, as they run in the server. " +
      "BullMQ gets one job for each event as it is decided, and a worker with 100 of them under way. " +
      "*Adding* is the part of deciding and queueing alone, measured without a dispatcher or worker; the times more " +
      "are of all together, in each round. " +
      `Idle, in shares of a core: ${idleText.join("; ")}.`,
    columns: [
      "events",
      "",
      "node",
      "Redis",
      "both",
      "times Pipit",
      "adding: node",
      "adding: Redis",
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
