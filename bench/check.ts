/**
 * Has anything become slower than recorded?
 *
 *   npm run bench:check [-- --scenario post-events --rounds 7]
 *
 * Measures again and compares the ratios to the bare server with those in bench/results/bench.json: ratios, since two
 * runs see two machines. Worse is what lies beyond the noise of both, interval against interval. Exit code 1 names it.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chooseScenarios } from "./scenarios/all.ts";
import { readArguments } from "./support/arguments.ts";
import { compareResults } from "./support/comparison.ts";
import { divideCores } from "./support/cores.ts";
import { readResults } from "./support/results-files.ts";
import { runScenarios } from "./support/run-scenarios.ts";
import { SIDE_OPTIONS } from "./support/sides.ts";

const RECORDED = "bench/results/bench.json";
const DEFAULT_ROUNDS = 7;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { scenarios, rounds, scale } = readArguments(process.argv.slice(2), DEFAULT_ROUNDS);
const recorded = readResults(RECORDED);
// What has no ratio cannot be compared between two runs.
const comparable = chooseScenarios(scenarios).filter(({ sides }) => sides.includes("bare"));
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const { server: core, note } = divideCores();
const measured = await runScenarios(comparable, {
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
