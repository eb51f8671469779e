/**
 * What does Pipit cost against bare uWebSockets.js that does the same on the wire?
 *
 *   npm run bench                                        all scenarios, 15 rounds
 *   npm run bench -- --scenario post-events --rounds 3   some of it, as often as you like
 *   npm run bench -- --cluster                           two nodes with Redis: what is local, what is remote
 *   npm run bench -- --target http://127.0.0.1:6002 --app-id 1 --key k --secret s [--pid 123]
 *
 * Both servers of a scenario run at once and take turns. Counted is the CPU time of a server's process, all
 * threads, per unit of work, and each delivery: a lost one fails the run. A run of everything writes
 * bench/results/bench.json and the results in bench/README.md; a part of it writes only what --out names.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { programPath, REDIS } from "../test/tools/programs.ts";
import { CLUSTER_SCENARIOS, chooseScenarios } from "./scenarios/all.ts";
import { readArguments } from "./support/arguments.ts";
import { divideCores } from "./support/cores.ts";
import { readEndpoint } from "./support/endpoint.ts";
import { quietNodeText } from "./support/quiet-node.ts";
import { readmeResults, readResults, writeResults } from "./support/results-files.ts";
import { resultsTable } from "./support/results-table.ts";
import { runScenarios } from "./support/run-scenarios.ts";
import { runTwoNodes } from "./support/run-two-nodes.ts";
import { SIDE_OPTIONS } from "./support/sides.ts";
import { twoNodesTable, writeTwoNodes } from "./support/two-nodes-results.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = "bench/results/bench.json";

process.chdir(ROOT);
const options = readArguments(process.argv.slice(2), 15);
const { target, rounds, scale, isCluster } = options;
if (isCluster && target !== undefined) {
  throw new Error("--cluster starts its own nodes: no --target.");
}
const names = isCluster && options.scenarios.length === 0 ? CLUSTER_SCENARIOS : options.scenarios;
const chosen = chooseScenarios(names);
// Throws where it is missing: better now than after the others have run for minutes.
if (isCluster || chosen.some(({ needsRedis }) => needsRedis === true)) programPath(REDIS);
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const { server: core, note } = divideCores();
const common = {
  ...SIDE_OPTIONS,
  core,
  note,
  rounds,
  scale,
  command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.trim(),
  target: target && { endpoint: readEndpoint(target.url, target), pid: target.pid },
  onText: (text: string) => process.stderr.write(text),
};
const isWhole = options.scenarios.length === 0 && target === undefined && scale === 1;

if (isCluster) {
  const results = await runTwoNodes(chosen, common);
  process.stdout.write(
    `\n${twoNodesTable(results.scenarios)}\n\n${quietNodeText(results.quiet)}\n`,
  );
  if (isWhole) await writeTwoNodes(results);
} else {
  const results = await runScenarios(chosen, common);
  process.stdout.write(`\n${resultsTable(results)}\n`);
  const out = options.out ?? (isWhole ? RESULTS : undefined);
  if (out !== undefined) await writeResults(out, results);
  if (out === RESULTS) readmeResults("bench/README.md", readResults(RESULTS));
}
