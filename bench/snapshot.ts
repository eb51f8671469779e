/**
 * How long does a page of the webhook snapshot keep Redis and the node busy, at the most that a page may have?
 *
 *   npm run bench:snapshot -- [--rounds 5]
 *
 * One partition on a redis-server of this bench holds channels, presence channels with members, or channels in
 * the grace; a page of it is read and written as JSON in turns with the list of the same channels, as GET channels
 * reads it. Counted is the CPU time of either process: while Redis runs the script, everybody else waits. Loopback;
 * ends by itself within a minute and writes bench/results/snapshot.{md,json}.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MAX_SNAPSHOT_ENTRIES } from "../src/channel-state/snapshot.ts";
import { readChannels } from "../src/http/read-routes.ts";
import type { Reply } from "../src/http/reply.ts";
import { readSnapshot } from "../src/http/webhook-snapshot.ts";
import { readApiQuery } from "../src/protocol/api-query.ts";
import { type OpenedRedisState, openRedisState } from "../test/channel-state/redis-state.ts";
import { type RedisServer, startRedis } from "../test/support/redis-server.ts";
import { createTestApp } from "../test/support/test-app.ts";
import { measureCost, redisVersion } from "./support/cost.ts";
import { writeReport } from "./support/report.ts";
import { spreadOf, spreadText } from "./support/statistics.ts";

interface Scenario {
  readonly name: string;
  readonly channels: number;
  /** In each channel; 0: no presence channels. */
  readonly members: number;
  readonly leaving: number;
}

interface Cost {
  readonly redisMs: number;
  readonly nodeMs: number;
  readonly bytes: number;
}

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MAX_ROUNDS = 50;
const APP = createTestApp({ id: "1" });
const QUERY = readApiQuery("");
const SCENARIOS: readonly Scenario[] = [
  { name: "100,000 channels", channels: MAX_SNAPSHOT_ENTRIES, members: 0, leaving: 0 },
  // A presence channel stands in two lists.
  { name: "9,000 presence channels of 9", channels: 9_000, members: 9, leaving: 0 },
  { name: "100,000 leaves", channels: 0, members: 0, leaving: MAX_SNAPSHOT_ENTRIES },
  { name: "2,000 channels", channels: 2_000, members: 0, leaving: 0 },
];
/** Fills the keys of a partition as the scripts of the channel state leave them. */
const FILL = `
local index, userTotals, pending, users = unpack(KEYS)
local channels, members, leaving = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 1, channels do
  local name = (members > 0 and "presence-" or "private-") .. "channel-of-usual-length-" .. i
  redis.call("ZADD", index, 0, name)
  if members > 0 then redis.call("HSET", userTotals, name, members) end
  for user = 1, members do redis.call("HSET", users .. name, "user-" .. user, 1) end
end
for i = 1, leaving do
  redis.call("ZADD", pending, 9999999999999, "o\\0001\\0private-channel-of-usual-length-" .. i)
end`;

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
const rounds = Number(values.rounds);
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS)) {
  throw new RangeError(`--rounds is ${values.rounds}, allowed: 1 to ${MAX_ROUNDS}.`);
}
const server = await startRedis(undefined);
const results = [];
for (const scenario of SCENARIOS) results.push(await measure(scenario));
const redis = await redisVersion(server);
const table = writeReport(ROOT, {
  name: "snapshot",
  title: "How long does a page of the webhook snapshot keep Redis busy?",
  command: `npm run bench:snapshot -- --rounds ${rounds}`,
  method: `CPU time in ms, of Redis, which serves nobody else meanwhile, and of the node until the answer's JSON is there. Median of ${rounds} rounds (lowest–highest), in turns on one Redis. The list is what GET channels reads of the same partition: names and counts, without members and leaves.`,
  columns: [
    "one partition",
    "snapshot: Redis",
    "snapshot: node",
    "KB",
    "list: Redis",
    "list: node",
  ],
  rows: results.map(({ scenario, snapshot, list }) => [
    scenario.name,
    spreadText(spreadOf(snapshot.map(({ redisMs }) => redisMs)), 1),
    spreadText(spreadOf(snapshot.map(({ nodeMs }) => nodeMs)), 1),
    ((snapshot[0]?.bytes ?? 0) / 1_000).toFixed(0),
    spreadText(spreadOf(list.map(({ redisMs }) => redisMs)), 1),
    spreadText(spreadOf(list.map(({ nodeMs }) => nodeMs)), 1),
  ]),
  raw: results,
  versions: { redis },
});
await server.stop();
process.stdout.write(`${table}\n`);

async function measure(scenario: Scenario): Promise<{
  readonly scenario: Scenario;
  readonly snapshot: readonly Cost[];
  readonly list: readonly Cost[];
}> {
  const { channels, members, leaving } = scenario;
  const keyPrefix = `bench-${channels}-${members}-${leaving}:`;
  const node = await openRedisState({ server, keyPrefix, partitions: 1 });
  const { keys } = node.redis;
  const filled = [["i", "1"], ["un", "1"], ["pend"], ["pu", "1", ""]];
  const its = filled.map((parts) => keys.key(0, ...parts));
  await server.call("EVAL", FILL, its.length, ...its, channels, members, leaving);
  const snapshot: Cost[] = [];
  const list: Cost[] = [];
  // The first of each is thrown away: it compiles.
  for (let round = 0; round <= rounds; round++) {
    snapshot.push(await costOf(server, () => readSnapshot(node, APP, QUERY)));
    list.push(await costOf(server, () => readChannels(withoutCache(node), APP, QUERY)));
  }
  await node.close();
  await server.call("FLUSHALL");
  return { scenario, snapshot: snapshot.slice(1), list: list.slice(1) };
}

function withoutCache({ state }: OpenedRedisState): Parameters<typeof readChannels>[0] {
  return { state, channels: { cached: () => undefined } };
}

async function costOf(redisServer: RedisServer, read: () => Reply | Promise<Reply>): Promise<Cost> {
  let reply: Reply | undefined;
  const { nodesUs, redisUs } = await measureCost(redisServer, 1, async () => {
    reply = await read();
  });
  if (reply?.status !== 200) throw new Error(`${reply?.status}: ${reply?.body.slice(0, 200)}`);
  const bytes = Buffer.byteLength(reply.body);
  return { redisMs: redisUs / 1_000, nodeMs: nodesUs / 1_000, bytes };
}
