/**
 * What happens when more comes than one core carries?
 *
 *   npm run bench:overload [-- --scale 0.5]
 *
 * First it is measured how many signed batches of ten events, to a channel of ten, one core carries. Then backends offer
 * a quarter to twice of that and wait for no answer, some subscribers read nothing, and somebody asks for the server's
 * health: once to an app that may publish four fifths of what the server carries, and once without a limit. At twice the
 * load ends, it is counted how long answers stay slow, and the load comes back, falling. Fails unless health always
 * answered within a second, memory stayed bounded, what was too much was refused, half of what the core carries was
 * published all the same, subscribers who do not read were closed, and the server recovered within five seconds. Writes
 * docs/overload.svg and bench/results/overload.json.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadUws } from "../src/transport/uws.ts";
import { readArguments } from "./support/arguments.ts";
import { EVENTS_A_REQUEST } from "./support/backends.ts";
import { divideCores } from "./support/cores.ts";
import { machineOf } from "./support/machine.ts";
import { overloadChart } from "./support/overload-chart.ts";
import { capacityOf, runOverload } from "./support/overload-load.ts";
import { overloadProblems } from "./support/overload-problems.ts";
import { SIDE_OPTIONS } from "./support/sides.ts";

const SHARES = [0.25, 0.5, 0.75, 1, 1.5, 2];
const SECONDS = 3;
const ALLOWED_SHARE = 0.8;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { scale } = readArguments(process.argv.slice(2), 1);
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const { server: core, note } = divideCores();
const sides = { ...SIDE_OPTIONS, core, target: undefined };
const onText = (text: string) => process.stderr.write(text);
const secondsPerStep = SECONDS * scale;
const capacityPerSecond = await capacityOf(sides, secondsPerStep);
onText(`${note}; one core carries ${capacityPerSecond.toFixed(0)} requests a second\n`);
const common = { sides, shares: SHARES, capacityPerSecond, secondsPerStep, onText };
const allowedPerSecond = Math.floor(capacityPerSecond * ALLOWED_SHARE * EVENTS_A_REQUEST);
onText(`an app that may publish ${allowedPerSecond} events a second\n`);
const limited = await runOverload({ ...common, maxEventsPerSecond: allowedPerSecond });
onText("an app without a limit\n");
const unlimited = await runOverload({ ...common, maxEventsPerSecond: undefined });

const { name, version } = (await loadUws()).loaded;
const machine = machineOf({ "uWebSockets.js": `${name} ${version}` });
const date = new Date().toISOString().slice(0, 10);
const results = { capacityPerSecond, limited, unlimited };
const file = "bench/results/overload.json";
writeFileSync(
  file,
  JSON.stringify({ command: "npm run bench:overload", date, note, machine, ...results }),
);
execFileSync("npx", ["biome", "format", "--write", file], { stdio: "ignore" });
writeFileSync("docs/overload.svg", overloadChart(limited, unlimited));
console.log(`Written to docs/overload.svg and ${file}.`);
const problems = [
  ...overloadProblems("with a limit", limited, capacityPerSecond),
  ...overloadProblems("without a limit", unlimited, capacityPerSecond),
];
for (const problem of problems) console.log(`✖ ${problem}`);
if (problems.length > 0) process.exitCode = 1;
