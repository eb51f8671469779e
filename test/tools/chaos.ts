/**
 * `npm run test:chaos`: the chaos scenarios with outages of a minute, a backlog of a million, and 20 seeds.
 *
 *   npm run test:chaos                        everything, about a quarter of an hour on two cores; writes the table in
 *                                             docs/webhooks.md
 *   npm run test:chaos -- nodes mixed         these files of test/chaos/ only; the table is shown, not written
 *   npm run test:chaos -- --short             as in `npm test`; the table is shown, not written
 *
 * `SEED=7` decides the first seed of the mixed faults. Exit code 0 when no scenario has failed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { COLUMNS, type Row, rowText } from "../chaos/row.ts";
import { findAreas } from "./areas.ts";
import { createRunner, stopOnSignals } from "./command.ts";
import { ensurePrograms, REDIS } from "./programs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = join(ROOT, "docs", "webhooks.md");
const BEGIN = "<!-- chaos table: npm run test:chaos -->";
const END = "<!-- end of the chaos table -->";
const TEST_TIMEOUT_MS = 60 * 60_000;

const runner = createRunner();
stopOnSignals(runner);
process.exitCode = await main();

async function main(): Promise<number> {
  process.chdir(ROOT);
  const folder = mkdtempSync(join(tmpdir(), "pipit-chaos-rows-"));
  try {
    const { files, isShort, isWhole } = readArguments();
    await ensurePrograms([REDIS], runner);
    const build = await runner.run(process.execPath, ["--import", "tsx", "test/tools/build.ts"]);
    if (build.exitCode !== 0) return 1;
    const rowsFile = join(folder, "rows");
    let exitCode = 0;
    // One file after another: figures would else be those of the neighbours.
    for (const file of files) exitCode = Math.max(exitCode, await runFile(file, isShort, rowsFile));
    const table = tableText(readRows(rowsFile));
    console.log(`\n${table}`);
    if (isWhole && !isShort && exitCode === 0) writeTable(table);
    return exitCode;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Throws on a name that is no file of test/chaos/. */
function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { short: { type: "boolean", default: false } },
  });
  const all = findAreas(ROOT).find(({ name }) => name === "chaos")?.files ?? [];
  const names = all.map((file) => file.replace(/^.*[\\/](.*)\.test\.ts$/, "$1"));
  const unknown = positionals.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    throw new Error(`There is no test/chaos/${unknown[0]}.test.ts: ${names.join(", ")}.`);
  }
  const isWhole = positionals.length === 0;
  const files = all.filter((_, n) => isWhole || positionals.includes(names[n] ?? ""));
  return { files, isShort: values.short, isWhole };
}

async function runFile(file: string, isShort: boolean, rowsFile: string): Promise<number> {
  console.log(`\n── ${file} ${"─".repeat(Math.max(0, 60 - file.length))}`);
  const reporter = pathToFileURL(join(ROOT, "test", "tools", "reporter.mjs")).href;
  const { exitCode } = await runner.run(
    process.execPath,
    [
      "--import",
      "tsx",
      "--test",
      `--test-timeout=${TEST_TIMEOUT_MS}`,
      `--test-reporter=${reporter}`,
      "--test-reporter-destination=stdout",
      file,
    ],
    {
      env: {
        ...process.env,
        CHAOS_ROWS: rowsFile,
        ...(isShort ? {} : { CHAOS: "long" }),
      },
    },
  );
  return exitCode;
}

function readRows(file: string): readonly Row[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Row);
}

function tableText(rows: readonly Row[]): string {
  const version = execFileSync("redis-server", ["--version"], { encoding: "utf8" });
  const redis = /v=(\S+)/.exec(version)?.[1] ?? "unknown";
  const date = new Date().toISOString().slice(0, 10);
  const cores = `${cpus().length} cores of ${cpus()[0]?.model.trim() ?? "an unknown CPU"}`;
  const where = `${date}, ${cores}, Redis ${redis} with \`appendfsync everysec\`, Node ${process.version}.`;
  return [where, "", ...COLUMNS, ...rows.map(rowText)].join("\n");
}

function writeTable(table: string): void {
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${PAGE} lacks ${BEGIN} … ${END}.`);
  const before = page.slice(0, begin + BEGIN.length);
  writeFileSync(PAGE, `${before}\n${table}\n${page.slice(end)}`);
  console.log(`Written to ${PAGE}.`);
}
