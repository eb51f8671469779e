/** A run of the bench, as it is kept. */
import type { Goal, Quantity } from "../scenarios/scenario.ts";
import type { Machine } from "./machine.ts";
import type { Round } from "./measure.ts";

export interface ScenarioResult {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly quantity: Quantity;
  readonly goal: Goal | undefined;
  readonly rounds: readonly Round[];
}

/** All of one run, as it is written to bench/results. */
export interface BenchResults {
  readonly command: string;
  /** What was bound to which core. */
  readonly note: string;
  readonly scenarios: readonly ScenarioResult[];
}

/** A run with where it was made: what is in bench/results/bench.json. */
export interface RecordedResults extends BenchResults {
  /** ISO 8601, the day only. */
  readonly date: string;
  readonly machine: Machine;
}

const UNIT_TEXT: Record<Quantity, string> = { cpu: "µs", memory: "KB", latency: "ms" };

export function figureText(quantity: Quantity, value: number): string {
  if (Number.isNaN(value)) return "–";
  const shown = quantity === "memory" ? value / 1_024 : value;
  return `${shown.toFixed(shown < 100 ? 2 : 0)} ${UNIT_TEXT[quantity]}`;
}
