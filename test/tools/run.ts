/**
 * `npm test`: type check, lint with the import rules of the rooms, build, and all tests, area by area.
 *
 *   npm test                              everything
 *   npm test -- unit integration          these areas only
 *   npm test -- test/http/read.test.ts    these files only
 */
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { areaOf, filesAtOnce, findAreas, INTEGRATION, type TestArea, UNIT } from "./areas.ts";
import { type CommandResult, createRunner, stopOnSignals } from "./command.ts";
import { ensurePrograms, PROGRAMS } from "./programs.ts";

interface Step {
  readonly name: string;
  readonly run: () => Promise<CommandResult>;
  /** When it fails, what follows would only repeat the failure. */
  readonly stopsAll: boolean;
}

interface StepResult {
  readonly name: string;
  readonly isOk: boolean;
  readonly durationMs: number;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILE_TIMEOUT_MS = 180_000;
const AREA_TIMEOUT_MS = 900_000;
const BIN = join(ROOT, "node_modules", ".bin");

const runner = createRunner();
const totals = new Map<string, number>();

stopOnSignals(runner);
process.exitCode = await main(process.argv.slice(2));

async function main(wanted: readonly string[]): Promise<number> {
  process.chdir(ROOT);
  let steps: readonly Step[];
  try {
    steps = chooseSteps(wanted);
    const names = new Set(steps.map(({ name }) => name));
    const programs = PROGRAMS.filter(({ areas }) => areas.some((area) => names.has(area)));
    await ensurePrograms(wanted.length === 0 ? PROGRAMS : programs, runner);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
  const results: StepResult[] = [];
  for (const { name, run, stopsAll } of steps) {
    console.log(`\n── ${name} ${"─".repeat(Math.max(0, 60 - name.length))}`);
    const { exitCode, durationMs } = await run();
    results.push({ name, isOk: exitCode === 0, durationMs });
    if (exitCode !== 0 && stopsAll) break;
  }
  return summarise(results, steps.length);
}

/** Throws on a word that is neither an area nor a file. */
function chooseSteps(wanted: readonly string[]): readonly Step[] {
  const areas = findAreas(ROOT);
  const all = [...checks(), ...areas.map((area) => testStep(area)), ...slowSteps(areas)];
  if (wanted.length === 0) return all;
  const files = wanted
    .filter((word) => existsSync(word))
    .map((word) => relative(ROOT, resolve(word)));
  const names = new Set(wanted.filter((word) => !existsSync(word)));
  for (const name of names) {
    if (all.some((step) => step.name === name)) continue;
    const known = all.map((step) => step.name).join(", ");
    throw new Error(`There is no area or file ${JSON.stringify(name)}. Areas: ${known}.`);
  }
  // Some unit tests, and all others, start the built server.
  const touched = [...names, ...files.map(areaOf).filter((name) => name !== UNIT)];
  if (areas.some(({ name }) => touched.includes(name))) names.add("build");
  const byArea = new Map<string, string[]>();
  for (const file of files) byArea.set(areaOf(file), [...(byArea.get(areaOf(file)) ?? []), file]);
  const chosen = Array.from(byArea, ([name, list]) => testStep({ name, files: list }));
  return [...all.filter(({ name }) => names.has(name)), ...chosen];
}

function checks(): readonly Step[] {
  const build = [...tsx("test/tools/build.ts"), "--force"];
  return [
    {
      name: "types",
      stopsAll: true,
      run: () => runner.run(join(BIN, "tsc"), ["--noEmit"]),
    },
    {
      name: "lint",
      stopsAll: false,
      run: () => runner.run(join(BIN, "biome"), ["check", "--error-on-warnings", "."]),
    },
    { name: "build", stopsAll: true, run: () => runner.run(process.execPath, build) },
  ];
}

/** The integration tests once more, against drivers that answer each call after a random while. */
function slowSteps(areas: readonly TestArea[]): readonly Step[] {
  return areas
    .filter(({ name }) => name === INTEGRATION)
    .map(({ files }) =>
      testStep({ name: "slow-drivers", files }, { PIPIT_TEST_SLOW_DRIVERS: "1" }),
    );
}

function testStep({ name, files }: TestArea, env: NodeJS.ProcessEnv = {}): Step {
  const limits = [`${filesAtOnce(name)}`, `${FILE_TIMEOUT_MS}`];
  return {
    name,
    stopsAll: false,
    run: () =>
      runner.run(process.execPath, [...tsx("test/tools/run-files.mjs"), ...limits, ...files], {
        env: { ...process.env, ...env },
        timeoutMs: AREA_TIMEOUT_MS,
        onOutput: addTotals,
      }),
  };
}

function tsx(script: string): readonly string[] {
  return ["--import", "tsx", script];
}

/** Adds up the closing lines of each area, `# tests 12`. */
function addTotals(text: string): void {
  for (const [, name = "", count] of text.matchAll(
    /^# (tests|pass|fail|cancelled|skipped|todo) (\d+)$/gm,
  )) {
    totals.set(name, (totals.get(name) ?? 0) + Number(count));
  }
}

function summarise(results: readonly StepResult[], planned: number): number {
  console.log("\n── summary ─────────────────────────────────────────────────────");
  for (const { name, isOk, durationMs } of results) {
    const seconds = (durationMs / 1e3).toFixed(1).padStart(7);
    console.log(`${isOk ? "✔" : "✖"} ${name.padEnd(14)}${seconds} s`);
  }
  if (results.length < planned) console.log(`${planned - results.length} more not run.`);
  for (const [name, count] of totals) console.log(`# ${name} ${count}`);
  const isOk = results.length === planned && results.every((result) => result.isOk);
  console.log(isOk ? "All is well." : "Something failed: see above.");
  return isOk ? 0 : 1;
}
