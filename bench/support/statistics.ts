/** Few numbers, told honestly: the middle one and the two ends. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Throws on an empty list. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (lower === undefined || upper === undefined || min === undefined || max === undefined) {
    throw new Error("No values.");
  }
  return { median: (lower + upper) / 2, min, max };
}

export function spreadText({ median, min, max }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** Throws on an empty list. `quantile`: 0.99 for the value that 99 of 100 do not pass. */
export function quantileOf(values: readonly number[], quantile: number): number {
  const sorted = Float64Array.from(values).sort();
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))];
  if (value === undefined) throw new Error("No values.");
  return value;
}

/** A value and the range that it lies in with a probability of 95 %. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;

/**
 * `statistic` of the rounds with its bootstrap interval: it is taken again and again of as many rounds, drawn with
 * repetition. `random`: 0 to 1, as Math.random.
 */
export function bootstrap<Round>(
  rounds: readonly Round[],
  statistic: (rounds: readonly Round[]) => number,
  random: () => number = seededRandom(),
): Estimate {
  const resampled = Array.from({ length: RESAMPLES }, () =>
    statistic(rounds.map((round) => rounds[Math.floor(random() * rounds.length)] ?? round)),
  );
  return {
    value: statistic(rounds),
    low: quantileOf(resampled, 0.025),
    high: quantileOf(resampled, 0.975),
  };
}

/** The same numbers each time (a linear congruential generator), so that the same rounds give the same interval. */
export function seededRandom(seed = 20_261_124): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
