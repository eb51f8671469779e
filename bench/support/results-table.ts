/** The table that a run ends with, as Markdown. */
import { type BenchResults, figureText, type ScenarioResult } from "./bench-results.ts";
import type { SideName } from "./sides.ts";
import { type Estimate, spreadOf } from "./statistics.ts";
import { isKnown, isMet, medianOf, ratioOf } from "./verdicts.ts";

/** As Markdown: one row a scenario. */
export function resultsTable({ scenarios }: BenchResults): string {
  const hasTarget = scenarios.some(({ rounds }) => rounds[0]?.target !== undefined);
  const columns = ["scenario", "per", "bare", "Pipit", "Pipit / bare (95 %)", "goal", ""];
  if (hasTarget) columns.push("target", "target / bare (95 %)", "Pipit, per s", "target, per s");
  const rows = scenarios.map((result) => {
    const cells = [
      result.title,
      result.unit,
      sideText(result, "bare"),
      sideText(result, "pipit") + besideText(result),
      estimateText(ratioOf(result, "pipit")),
      goalText(result),
      verdictText(isMet(result)),
    ];
    if (hasTarget) {
      cells.push(sideText(result, "target"), estimateText(ratioOf(result, "target")));
      cells.push(rateText(result, "pipit"), rateText(result, "target"));
    }
    return cells;
  });
  return [columns, columns.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

function sideText({ quantity, rounds }: ScenarioResult, side: SideName): string {
  if (!rounds.every((round) => isKnown(round[side]))) return "–";
  return figureText(quantity, medianOf(rounds, side));
}

function besideText({ rounds }: ScenarioResult): string {
  const besideUs = rounds.flatMap(({ pipit }) =>
    pipit?.besideUs === undefined ? [] : [pipit.besideUs],
  );
  return besideUs.length === 0 ? "" : `, Redis ${spreadOf(besideUs).median.toFixed(1)} µs`;
}

function estimateText(estimate: Estimate | undefined): string {
  if (estimate === undefined) return "–";
  return `${estimate.value.toFixed(2)} (${estimate.low.toFixed(2)}–${estimate.high.toFixed(2)})`;
}

function goalText({ goal, quantity }: ScenarioResult): string {
  if (goal === undefined) return "–";
  return goal.kind === "ratio" ? `≤ ${goal.most}` : `≤ ${figureText(quantity, goal.most)}`;
}

function verdictText(met: boolean | undefined): string {
  return met === undefined ? "" : met ? "met" : "missed";
}

function rateText({ rounds }: ScenarioResult, side: SideName): string {
  const rates = rounds.flatMap((round) => round[side]?.perSecond ?? []);
  return rates.length === 0 ? "–" : spreadOf(rates).median.toFixed(0);
}
