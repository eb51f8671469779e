/** Where results are kept: a JSON file with every round, and the page that shows the last run. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { loadUws } from "../../src/transport/uws.ts";
import type { BenchResults, RecordedResults } from "./bench-results.ts";
import { machineOf, machineText } from "./machine.ts";
import { resultsTable } from "./results-table.ts";

/** Adds where the run was made, and writes it as JSON. */
export async function writeResults(file: string, results: BenchResults): Promise<void> {
  const { name, version } = (await loadUws()).loaded;
  const recorded: RecordedResults = {
    date: new Date().toISOString().slice(0, 10),
    machine: machineOf({ "uWebSockets.js": `${name} ${version}` }),
    ...results,
  };
  writeFileSync(file, JSON.stringify(recorded));
  execFileSync("npx", ["biome", "format", "--write", file], { stdio: "ignore" });
}

export function readResults(file: string): RecordedResults {
  return JSON.parse(readFileSync(file, "utf8")) as RecordedResults;
}

/** Puts the recorded results into the page. */
export function readmeResults(file: string, results: RecordedResults): void {
  const { command, note, date, machine, scenarios } = results;
  const rounds = Math.max(...scenarios.map((result) => result.rounds.length));
  const text = `${resultsTable(results)}\n\nMedians of ${rounds} rounds, measured on ${date} with \`${command}\`: ${machineText(machine)}; ${note}.`;
  replaceSection(file, "results", text);
}

/** Puts `text` into the page, between the two marks of this name. */
export function replaceSection(file: string, name: string, text: string): void {
  const page = readFileSync(file, "utf8");
  const begin = new RegExp(`<!-- ${name}: written by .* -->`).exec(page)?.[0];
  const from = begin === undefined ? -1 : page.indexOf(begin) + begin.length;
  const to = page.indexOf(`<!-- end of ${name} -->`);
  if (from === -1 || to === -1) throw new Error(`${file} has no place for ${name}.`);
  writeFileSync(file, `${page.slice(0, from)}\n\n${text}\n\n${page.slice(to)}`);
}
