/** What the rounds of a scenario say: figures and ratios with their intervals, and whether the goal is met. */
import type { Goal } from "../scenarios/scenario.ts";
import type { ScenarioResult } from "./bench-results.ts";
import type { Measured, Round } from "./measure.ts";
import type { SideName } from "./sides.ts";
import { bootstrap, type Estimate, spreadOf } from "./statistics.ts";

/** Of the medians of two servers, over the rounds of one run. Undefined where one of them took no part. */
export function ratioOf(
  { rounds }: ScenarioResult,
  side: SideName,
  to: SideName = "bare",
): Estimate | undefined {
  if (!rounds.every((round) => isKnown(round[side]) && isKnown(round[to]))) return undefined;
  return bootstrap(rounds, (drawn) => medianOf(drawn, side) / medianOf(drawn, to));
}

/** In the scenario's own measure, or undefined where the server took no part. */
export function figureOf({ rounds }: ScenarioResult, side: SideName): Estimate | undefined {
  if (!rounds.every((round) => isKnown(round[side]))) return undefined;
  return bootstrap(rounds, (drawn) => medianOf(drawn, side));
}

/** Met when the interval's lower end is at or under the goal: what remains is noise. */
export function isMet(result: ScenarioResult): boolean | undefined {
  const { goal } = result;
  const estimate = goal && estimateFor(result, goal);
  return goal && estimate && estimate.low <= goal.most;
}

function estimateFor(result: ScenarioResult, { kind }: Goal): Estimate | undefined {
  return kind === "ratio" ? ratioOf(result, "pipit") : figureOf(result, "pipit");
}

/** Whether a server took part and was measured. */
export function isKnown(measured: Measured | undefined): boolean {
  return measured !== undefined && !Number.isNaN(measured.value);
}

export function medianOf(rounds: readonly Round[], side: SideName): number {
  return spreadOf(rounds.map((round) => round[side]?.value ?? Number.NaN)).median;
}
