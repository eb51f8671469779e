/**
 * What happens when more comes than one core carries?
 *
 *   npm run bench:overload [-- --scale 0.2]
 *
 * Backends offer signed batches of ten events at a quarter to twice the rate that the server takes, each step for some
 * seconds, while subscribers read, some subscribers read nothing, and somebody asks for the server's health. The app
 * may publish four fifths of what the server carries: what is above it is refused with 429. Then the load ends, and it
 * is counted how long answers stay slow. Fails unless health always answered within a second, memory stayed bounded,
 * subscribers who do not read were closed, and the server recovered within five seconds. Writes docs/overload.svg and
 * bench/results/overload.json.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadUws } from "../src/transport/uws.ts";
import { readArguments } from "./support/arguments.ts";
import { divideCores } from "./support/cores.ts";
import { machineOf } from "./support/machine.ts";
import { type Overload, runOverload, type Step } from "./support/overload-load.ts";
import { SIDE_OPTIONS } from "./support/sides.ts";
import { chartsSvg, type Line } from "./support/svg.ts";

const SHARES = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
const SECONDS = 4;
const MAX_HEALTH_MS = 1_000;
const MAX_RECOVERY_S = 5;
const MAX_MB = 512;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { scale } = readArguments(process.argv.slice(2), 1);
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const { server: core, note } = divideCores();
const overload = await runOverload({
  sides: { ...SIDE_OPTIONS, core, target: undefined },
  shares: SHARES,
  secondsPerStep: SECONDS * scale,
  onText: (text) => process.stderr.write(text),
});
const { name, version } = (await loadUws()).loaded;
const machine = machineOf({ "uWebSockets.js": `${name} ${version}` });
const file = "bench/results/overload.json";
writeFileSync(file, JSON.stringify({ command: "npm run bench:overload", note, machine, overload }));
execFileSync("npx", ["biome", "format", "--write", file], { stdio: "ignore" });
writeFileSync("docs/overload.svg", draw(overload.steps));
console.log(`Written to docs/overload.svg and ${file}.`);
const problems = problemsOf(overload);
for (const problem of problems) console.log(`✖ ${problem}`);
if (problems.length > 0) process.exitCode = 1;

function draw(steps: readonly Step[]): string {
  const line = (title: string, colour: string, y: (step: Step) => number): Line => ({
    name: title,
    colour,
    points: steps.map((step) => [step.share, y(step)]),
  });
  const xTitle = "offered load, 1 is what one core carries";
  return chartsSvg("Throughput and p99 against offered load", [
    {
      title: "Signed batches of 10 events, per second",
      xTitle,
      yTitle: "requests/s",
      lines: [
        line("offered", "#999", (step) => step.offeredPerSecond),
        line("published (200)", "#2a7", (step) => step.publishedPerSecond),
        line("refused (429)", "#c63", (step) => step.refusedPerSecond),
      ],
    },
    {
      title: "Time to the answer",
      xTitle,
      yTitle: "ms",
      isLogarithmic: true,
      lines: [
        line("p99 of requests", "#36c", (step) => step.p99Ms),
        line("slowest health answer", "#a3a", (step) => step.healthMaxMs),
      ],
    },
  ]);
}

function problemsOf({ steps, recoveryS, slowConsumers, slowConsumersClosed }: Overload): string[] {
  const problems: string[] = [];
  for (const { share, healthMaxMs, rssMb, otherStatuses } of steps) {
    if (healthMaxMs > MAX_HEALTH_MS) problems.push(`at ${share}: health took ${healthMaxMs} ms`);
    if (rssMb > MAX_MB) problems.push(`at ${share}: ${rssMb} MB of memory`);
    if (otherStatuses > 0) problems.push(`at ${share}: ${otherStatuses} answers that are neither`);
  }
  if (recoveryS > MAX_RECOVERY_S) problems.push(`it took ${recoveryS} s to recover`);
  if (slowConsumersClosed < slowConsumers) {
    problems.push(`${slowConsumersClosed} of ${slowConsumers} slow consumers were closed`);
  }
  return problems;
}
