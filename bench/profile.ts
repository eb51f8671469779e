/**
 * Where does the time of a scenario go?
 *
 *   npm run bench:profile -- --scenario post-events [--rounds 5] [--out bench/results/flame-post-events.svg]
 *
 * Runs one scenario against Pipit alone with V8's profiler on, writes a flame graph as SVG and prints the functions
 * that take the most. The profiler sees JavaScript: what the native library and the kernel do is in its caller.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chooseScenarios } from "./scenarios/all.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { readArguments } from "./support/arguments.ts";
import { divideCores } from "./support/cores.ts";
import { type CpuProfile, callTree, selfTimes } from "./support/cpu-profile.ts";
import { flameGraph } from "./support/flame-graph.ts";
import { openSide, SIDE_OPTIONS } from "./support/sides.ts";

const WRITES_WITHIN_MS = 20_000;
const MOST_FUNCTIONS = 25;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const options = readArguments(process.argv.slice(2), 5);
const [scenario] = chooseScenarios(
  options.scenarios.length === 0 ? ["post-events"] : options.scenarios,
);
if (scenario === undefined) throw new Error("There is no scenario.");
if (scenario.quantity === "memory") {
  throw new Error(`In ${scenario.name} nothing is done: npm run bench:heap tells what it weighs.`);
}
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const profile = await record(scenario);
const out = options.out ?? `bench/results/flame-${scenario.name}.svg`;
writeFileSync(out, flameGraph(callTree(profile), `Pipit, ${scenario.title}`));
for (const { name, share } of selfTimes(profile).slice(0, MOST_FUNCTIONS)) {
  console.log(`${(share * 100).toFixed(1).padStart(5)} %  ${name}`);
}
console.log(`\nWritten to ${out}.`);

async function record({ open, prepare }: Scenario): Promise<CpuProfile> {
  const folder = mkdtempSync(join(tmpdir(), "pipit-profile-"));
  const file = join(folder, "profile.json");
  process.env.BENCH_PROFILE = file;
  const surroundings = await prepare?.();
  const { server: core } = divideCores();
  const side = await openSide(
    "pipit",
    { ...SIDE_OPTIONS, core, target: undefined },
    {
      ...surroundings?.config,
      nodeArgs: ["--import", "./bench/support/profile-on-signal.mjs"],
    },
  );
  try {
    const load = await open(side.endpoint, options.scale);
    await load.round();
    signal(side.pid);
    for (let round = 0; round < options.rounds; round += 1) await load.round();
    signal(side.pid);
    load.close();
    return await readWhenWritten(file);
  } finally {
    await side.close();
    await surroundings?.close();
    rmSync(folder, { recursive: true });
  }
}

function signal(pid: number | undefined): void {
  if (pid !== undefined) process.kill(pid, "SIGUSR2");
}

async function readWhenWritten(file: string): Promise<CpuProfile> {
  const deadlineMs = Date.now() + WRITES_WITHIN_MS;
  for (;;) {
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    if (text.endsWith("}")) return JSON.parse(text) as CpuProfile;
    if (Date.now() > deadlineMs) throw new Error("The server wrote no profile.");
    await delay(100);
  }
}
