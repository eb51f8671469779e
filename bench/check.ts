/**
 * Has anything become slower than recorded?
 *
 *   npm run bench:check [-- --scenario post-events --rounds 7]
 *
 * Measures again and compares the ratios to the bare server with those in bench/results/bench.json: ratios, since two
 * runs see two machines. Worse is what lies beyond the noise of both, interval against interval, and where there is no
 * bare server what misses its goal. Exit code 1 names it.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chooseScenarios } from "./scenarios/all.ts";
import { type BenchArguments, readArguments } from "./support/arguments.ts";
import { compareResults } from "./support/comparison.ts";
import { divideCores } from "./support/cores.ts";
import { readResults } from "./support/results-files.ts";
import { runScenarios } from "./support/run-scenarios.ts";
import { SIDE_OPTIONS } from "./support/sides.ts";

const RECORDED = "bench/results/bench.json";
const DEFAULT_ROUNDS = 7;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const options = readArguments(process.argv.slice(2), DEFAULT_ROUNDS);
requireNoOthers(options);
const { scenarios, rounds, scale } = options;
const recorded = readResults(RECORDED);
// What has neither a ratio nor a goal cannot be compared between two runs: only who names it is told so.
const chosen = chooseScenarios(scenarios).filter(
  ({ sides, goal }) => scenarios.length > 0 || sides.includes("bare") || goal !== undefined,
);
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const { server: core, note } = divideCores();
const measured = await runScenarios(chosen, {
  ...SIDE_OPTIONS,
  core,
  note,
  rounds,
  scale,
  command: "npm run bench:check",
  target: undefined,
  onText: (text) => process.stderr.write(text),
});
const comparisons = compareResults(recorded, measured);
for (const { text } of comparisons) console.log(text);
if (comparisons.some(({ verdict }) => verdict === "worse")) process.exitCode = 1;

function requireNoOthers({ target, isCluster, out }: BenchArguments): void {
  if (target === undefined && !isCluster && out === undefined) return;
  throw new Error(
    "bench:check takes --scenario, --rounds and --scale: it compares with what is recorded.",
  );
}
