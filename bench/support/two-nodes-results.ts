/** The results of `npm run bench -- --cluster`: a table, a JSON file, and their place in bench/README.md. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadUws } from "../../src/transport/uws.ts";
import { machineOf, machineText } from "./machine.ts";
import { type QuietNode, quietNodeText } from "./quiet-node.ts";
import { replaceSection } from "./results-files.ts";
import { bootstrap, type Estimate, spreadOf } from "./statistics.ts";
import {
  type Place,
  type PlaceCost,
  type PlaceResult,
  type PlaceRound,
  totalUs,
} from "./two-nodes.ts";

export interface TwoNodesResults {
  readonly command: string;
  readonly note: string;
  readonly redisVersion: string;
  readonly quiet: QuietNode;
  readonly scenarios: readonly PlaceResult[];
}

const FILE = "bench/results/two-nodes.json";
const PAGE = "bench/README.md";

/** As Markdown: one row a scenario, µs of CPU time. */
export function twoNodesTable(scenarios: readonly PlaceResult[]): string {
  const columns = [
    "scenario",
    "per",
    "one node without Redis",
    "local: its node + Redis",
    "remote: publishing node + other node + Redis",
    "local / without (95 %)",
    "remote / local (95 %)",
  ];
  const rows = scenarios.map(({ title, unit, rounds }) => {
    const us = (place: Place, of: (cost: PlaceCost) => number): string =>
      spreadOf(rounds.map((round) => of(round[place]))).median.toFixed(2);
    return [
      title,
      unit,
      us("alone", totalUs),
      `${us("local", ({ publishingUs }) => publishingUs)} + ${us("local", ({ redisUs }) => redisUs)}`,
      `${us("remote", ({ publishingUs }) => publishingUs)} + ${us("remote", ({ otherUs }) => otherUs)} + ${us("remote", ({ redisUs }) => redisUs)}`,
      ratioText(rounds, "local", "alone"),
      ratioText(rounds, "remote", "local"),
    ];
  });
  return [columns, columns.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** Of all that a unit costs, in all processes. */
function ratioText(rounds: readonly PlaceRound[], place: Place, to: Place): string {
  const median = (drawn: readonly PlaceRound[], of: Place): number =>
    spreadOf(drawn.map((round) => totalUs(round[of]))).median;
  const { value, low, high }: Estimate = bootstrap(
    rounds,
    (drawn) => median(drawn, place) / median(drawn, to),
  );
  return `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** Writes the file, and the page's part about it. */
export async function writeTwoNodes(results: TwoNodesResults): Promise<void> {
  const { name, version } = (await loadUws()).loaded;
  const { command, note, redisVersion, quiet, scenarios } = results;
  const machine = machineOf({ "uWebSockets.js": `${name} ${version}`, redis: redisVersion });
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(FILE, JSON.stringify({ date, machine, ...results }));
  execFileSync("npx", ["biome", "format", "--write", FILE], { stdio: "ignore" });
  const rounds = scenarios[0]?.rounds.length ?? 0;
  const text =
    `${twoNodesTable(scenarios)}\n\n${quietNodeText(quiet)}\n\n` +
    `Medians of ${rounds} rounds, µs of CPU time, measured on ${date} with \`${command}\`: ${machineText(machine)}; ${note}.`;
  replaceSection(PAGE, "two nodes", text);
}
