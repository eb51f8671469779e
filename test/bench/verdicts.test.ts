/** What the rounds of a bench are taken to say. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ScenarioResult } from "../../bench/support/bench-results.ts";
import { compareResults } from "../../bench/support/comparison.ts";
import { bootstrap, quantileOf, spreadOf } from "../../bench/support/statistics.ts";
import { isMet, ratioOf } from "../../bench/support/verdicts.ts";

/** Rounds in which Pipit takes `ratios` times what the bare server takes. */
function resultOf(ratios: readonly number[], most = 1.1): ScenarioResult {
  return {
    name: "some",
    title: "Something",
    unit: "thing",
    quantity: "cpu",
    goal: { kind: "ratio", most },
    rounds: ratios.map((ratio, n) => ({
      bare: { value: 10 + n / 10, perSecond: 1 },
      pipit: { value: (10 + n / 10) * ratio, perSecond: 1 },
    })),
  };
}

function runOf(...scenarios: readonly ScenarioResult[]) {
  return { command: "", note: "", scenarios };
}

describe("a bench", () => {
  test("gives an interval that contains the value and grows with the noise", () => {
    const calm = ratioOf(resultOf([1.2, 1.21, 1.19, 1.2, 1.2]), "pipit");
    const noisy = ratioOf(resultOf([1.0, 1.5, 1.1, 1.4, 1.2]), "pipit");
    assert.ok(calm !== undefined && noisy !== undefined);
    for (const { low, value, high } of [calm, noisy]) assert.ok(low <= value && value <= high);
    assert.ok(calm.high - calm.low < noisy.high - noisy.low);
  });

  test("gives the same interval for the same rounds", () => {
    const rounds = [3, 1, 4, 1, 5, 9, 2, 6];
    const median = (drawn: readonly number[]) => spreadOf(drawn).median;
    assert.deepEqual(bootstrap(rounds, median), bootstrap(rounds, median));
  });

  test("takes the value that 99 of 100 do not pass", () => {
    const values = Array.from({ length: 1_000 }, (_, n) => 1_000 - n);
    assert.equal(quantileOf(values, 0.99), 991);
    assert.equal(quantileOf([7], 0.99), 7);
  });

  test("meets its goal when the lower end of the interval is at or under it", () => {
    assert.equal(isMet(resultOf([1.1, 1.1, 1.1])), true);
    assert.equal(isMet(resultOf([1.05, 1.3, 1.3, 1.05, 1.3])), true);
    assert.equal(isMet(resultOf([1.2, 1.2, 1.21])), false);
  });

  test("names what has become worse than both runs' noise, and nothing else", () => {
    const recorded = runOf(resultOf([1.0, 1.05, 1.02, 1.01, 1.03]));
    const verdict = (ratios: readonly number[]) =>
      compareResults(recorded, runOf(resultOf(ratios)))[0]?.verdict;
    assert.equal(verdict([1.3, 1.31, 1.29, 1.3, 1.3]), "worse");
    assert.equal(verdict([0.8, 0.81, 0.79, 0.8, 0.8]), "better");
    assert.equal(verdict([1.06, 1.06, 1.01, 1.2, 1.0]), "same");
    assert.equal(compareResults(runOf(), recorded)[0]?.verdict, "unknown");
  });

  test("compares what runs without a bare server with its goal, and says so where there is none", () => {
    const alone = (us: number, goal: ScenarioResult["goal"]) => {
      const rounds = Array.from({ length: 5 }, () => ({ pipit: { value: us, perSecond: 1 } }));
      const run = runOf({ ...resultOf([]), goal, rounds });
      return compareResults(run, run)[0];
    };
    const goal = { kind: "absolute", most: 20 } as const;
    assert.equal(alone(20, goal)?.verdict, "same");
    assert.equal(alone(21, goal)?.verdict, "worse");
    assert.match(alone(21, goal)?.text ?? "", /21.00 µs, at most 20.00 µs/);
    assert.equal(alone(21, undefined)?.verdict, "unknown");
  });
});
