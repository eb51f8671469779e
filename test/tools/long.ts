/**
 * `npm run test:long`: the random tests with far more seeds than `npm test` has time for.
 *
 *   npm run test:long                           everything, about half an hour on two cores
 *   npm run test:long -- fuzz webhook-order     these only
 *   npm run test:long -- --seed 7               the seeds from 7 on; else the time of day decides
 *
 * Each run says its seed. A run that fails is shown in full with the command that repeats it, and the others
 * go on. Exit code 0 when none has failed.
 */
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type CommandResult, createRunner, stopOnSignals } from "./command.ts";
import { ensurePrograms, REDIS } from "./programs.ts";

interface LongTest {
  readonly name: string;
  readonly file: string;
  /** The environment variable that it reads its seed from. */
  readonly variable: string;
  /** How many runs there are, each with a seed of its own. */
  readonly runs: number;
  /** For each run, besides the seed. */
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

interface Summary {
  readonly name: string;
  readonly firstSeed: number;
  readonly runs: number;
  /** Commands that repeat those that failed. */
  readonly failures: readonly string[];
  readonly durationMs: number;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const REPORTER = pathToFileURL(join(ROOT, "test", "tools", "reporter.mjs")).href;
const SEEDS_PER_DAY = 1_000_000;
const MINUTE_MS = 60_000;
/** Of a line that the reporter closes with, as opposed to what a test tells. */
const TOTAL = /^# (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /;

const TESTS: readonly LongTest[] = [
  {
    name: "webhook-order",
    file: "test/cluster/webhook-order.test.ts",
    variable: "SEED",
    runs: 40,
    timeoutMs: 3 * MINUTE_MS,
  },
  {
    name: "webhook-delivery",
    file: "test/integration/webhook-delivery-random.test.ts",
    variable: "SEED",
    runs: 40,
    timeoutMs: 2 * MINUTE_MS,
  },
  {
    name: "memory-state",
    file: "test/channel-state/memory-channel-state.property.test.ts",
    variable: "SEED",
    runs: 20,
    timeoutMs: 2 * MINUTE_MS,
  },
  {
    name: "fuzz",
    file: "test/fuzz/fuzz.test.ts",
    variable: "PIPIT_FUZZ_SEED",
    runs: 10,
    timeoutMs: 3 * MINUTE_MS,
  },
  {
    name: "churn",
    file: "test/cluster/state-churn.test.ts",
    variable: "SEED",
    runs: 10,
    timeoutMs: 3 * MINUTE_MS,
  },
  {
    name: "simulation",
    file: "test/cluster/state-simulation.test.ts",
    variable: "SEED",
    runs: 1,
    // This many seeds from the one that is given, several at a time.
    env: { SEEDS: "200" },
    timeoutMs: 40 * MINUTE_MS,
  },
];

const runner = createRunner();
stopOnSignals(runner);
process.exitCode = await main();

async function main(): Promise<number> {
  process.chdir(ROOT);
  const summaries: Summary[] = [];
  try {
    const { tests, seed } = readArguments();
    await ensurePrograms([REDIS], runner);
    for (const each of tests) summaries.push(await runAll(each, seed));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
  return summarise(summaries);
}

/** Throws on a name or seed that cannot be. */
function readArguments(): { tests: readonly LongTest[]; seed: number } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seed: { type: "string" } },
  });
  const names = TESTS.map(({ name }) => name);
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(`There is no long test ${unknown.join(", ")}: ${names.join(", ")}.`);
  }
  const seed = Number(values.seed ?? Date.now() % SEEDS_PER_DAY);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new Error(`--seed is ${JSON.stringify(values.seed)}, allowed are whole numbers from 0.`);
  }
  const isWanted = ({ name }: LongTest) => positionals.length === 0 || positionals.includes(name);
  return { tests: TESTS.filter(isWanted), seed };
}

async function runAll(test: LongTest, firstSeed: number): Promise<Summary> {
  const { name, file, variable, runs, env } = test;
  console.log(`\n── ${name} ${"─".repeat(Math.max(0, 60 - name.length))}`);
  const startedMs = performance.now();
  const failures: string[] = [];
  for (let n = 0; n < runs; n++) {
    const seed = firstSeed + n;
    const { exitCode, durationMs, output } = await runOnce(test, seed);
    const told = output.split("\n").filter((line) => line.startsWith("# ") && !TOTAL.test(line));
    const seconds = (durationMs / 1e3).toFixed(1);
    console.log(`${exitCode === 0 ? "✔" : "✖"} seed ${seed}  ${seconds} s  ${told.join("; ")}`);
    if (exitCode === 0) continue;
    console.log(exitCode === 124 ? `${output}\nNot done in time.` : output);
    const set = Object.entries({ ...env, [variable]: seed }).map(
      ([key, value]) => `${key}=${value}`,
    );
    failures.push(`${set.join(" ")} node --import tsx --test ${file}`);
  }
  return { name, firstSeed, runs, failures, durationMs: performance.now() - startedMs };
}

async function runOnce(
  { file, variable, env, timeoutMs }: LongTest,
  seed: number,
): Promise<CommandResult & { output: string }> {
  let output = "";
  const args = ["--import", "tsx", "--test", `--test-timeout=${timeoutMs}`];
  const reporting = [`--test-reporter=${REPORTER}`, "--test-reporter-destination=stdout"];
  const result = await runner.run(process.execPath, [...args, ...reporting, file], {
    env: { ...process.env, ...env, [variable]: `${seed}` },
    // The test ends itself first, and says where it was.
    timeoutMs: timeoutMs + MINUTE_MS,
    isQuiet: true,
    onOutput(text) {
      output += text;
    },
  });
  return { ...result, output };
}

function summarise(summaries: readonly Summary[]): number {
  console.log(`\n── summary ${"─".repeat(53)}`);
  for (const { name, firstSeed, runs, failures, durationMs } of summaries) {
    const seeds = runs === 1 ? `seed ${firstSeed}` : `seeds ${firstSeed}–${firstSeed + runs - 1}`;
    const outcome = failures.length === 0 ? "✔" : `✖ ${failures.length} failed,`;
    console.log(`${outcome} ${name}  ${seeds}  ${(durationMs / 1e3).toFixed(1)} s`);
  }
  const failures = summaries.flatMap((summary) => summary.failures);
  if (failures.length === 0) return 0;
  console.log(`\nTo repeat what failed:\n${failures.join("\n")}`);
  return 1;
}
