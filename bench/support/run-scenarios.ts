/** Runs scenarios one after the other and tells how far it is. */
import type { Scenario } from "../scenarios/scenario.ts";
import { type BenchResults, figureText, type ScenarioResult } from "./bench-results.ts";
import { type MeasureOptions, measureScenario } from "./measure.ts";

export interface RunOptions extends Omit<MeasureOptions, "onProgress"> {
  readonly command: string;
  readonly note: string;
  /** Progress, a line at a time. */
  readonly onText: (text: string) => void;
}

/** Rejects with the first scenario that fails. */
export async function runScenarios(
  scenarios: readonly Scenario[],
  options: RunOptions,
): Promise<BenchResults> {
  const { command, note, onText } = options;
  onText(`${note}\n`);
  const results: ScenarioResult[] = [];
  for (const [n, scenario] of scenarios.entries()) {
    const { name, title, unit, quantity, goal } = scenario;
    const head = `[${n + 1}/${scenarios.length}] ${name}`;
    onText(`${head}: ${title}\n`);
    const rounds = await measureScenario(scenario, {
      ...options,
      onProgress: (where, { value, perSecond }) =>
        onText(
          `${head}  ${where}  ${figureText(quantity, value)}  ${perSecond.toFixed(0)} ${unit}s/s\n`,
        ),
    });
    results.push({ name, title, unit, quantity, goal, rounds });
  }
  return { command, note, scenarios: results };
}
