/** A run against a recorded one: ratio against ratio, since the two have seen different machines. */
import { type BenchResults, figureText, type ScenarioResult } from "./bench-results.ts";
import type { Estimate } from "./statistics.ts";
import { figureOf, isMet, ratioOf } from "./verdicts.ts";

export interface Comparison {
  readonly name: string;
  /** `same`: the intervals overlap, or the goal is met. `unknown`: not recorded, or without a ratio and a goal. */
  readonly verdict: "better" | "same" | "worse" | "unknown";
  /** One line for a person. */
  readonly text: string;
}

export function compareResults(
  recorded: BenchResults,
  measured: BenchResults,
): readonly Comparison[] {
  return measured.scenarios.map((result): Comparison => {
    const { name } = result;
    const before = recorded.scenarios.find((each) => each.name === name);
    const old = before && ratioOf(before, "pipit");
    const now = ratioOf(result, "pipit");
    if (now === undefined && result.goal?.kind === "absolute") return againstGoal(result);
    if (old === undefined || now === undefined) {
      return { name, verdict: "unknown", text: `? ${name}: nothing recorded to compare with` };
    }
    const verdict = now.low > old.high ? "worse" : now.high < old.low ? "better" : "same";
    const mark = { worse: "✖", better: "✔", same: "=" }[verdict];
    const text = `${mark} ${name}: ${verdict}, ${estimateText(now)} × bare, recorded ${estimateText(old)}`;
    return { name, verdict, text };
  });
}

/** What has no bare server beside it is compared with its goal. */
function againstGoal(result: ScenarioResult): Comparison {
  const { name, quantity, goal } = result;
  const isGood = isMet(result) === true;
  const figure = figureText(quantity, figureOf(result, "pipit")?.value ?? Number.NaN);
  const text = `${isGood ? "=" : "✖"} ${name}: ${figure}, at most ${figureText(quantity, goal?.most ?? 0)} is the goal`;
  return { name, verdict: isGood ? "same" : "worse", text };
}

function estimateText({ value, low, high }: Estimate): string {
  return `${value.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
