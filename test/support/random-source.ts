/** Random input that can be had again: the same numbers for the same seed. */
import { randomInt } from "node:crypto";
import type { TestContext } from "node:test";

/** An integer from 0 to `below` - 1. */
export type RandomSource = (below: number) => number;

export function randomSource(seed: number): RandomSource {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A source with a seed of its own, which the test's output names. */
export function seededSource(t: TestContext): { seed: number; below: RandomSource } {
  const seed = randomInt(2 ** 32);
  t.diagnostic(`seed ${seed}`);
  return { seed, below: randomSource(seed) };
}

export function pick<T>(below: RandomSource, from: readonly T[]): T {
  return from[below(from.length)] as T;
}

/** Up to `most` of `pieces`, joined. */
export function randomText(below: RandomSource, pieces: readonly string[], most: number): string {
  let text = "";
  for (let n = below(most + 1); n > 0; n--) text += pick(below, pieces);
  return text;
}
