/** A Map in little space: it does what a Map does. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { describe, test } from "node:test";
import { seededRandom } from "../../bench/support/statistics.ts";
import { SmallMap } from "../../src/connections/small-map.ts";

describe("a small map", () => {
  test("answers as a Map does, whatever is set and deleted", (t) => {
    const seed = randomInt(2 ** 31);
    t.diagnostic(`seed ${seed}`);
    const random = seededRandom(seed);
    for (let run = 0; run < 200; run += 1) {
      const plain = new Map<string, number>();
      const few = new SmallMap<number>();
      for (let step = 0; step < 30; step += 1) {
        const channel = `channel-${Math.floor(random() * 4)}`;
        if (random() < 0.5) {
          plain.set(channel, step);
          few.set(channel, step);
        } else {
          plain.delete(channel);
          few.delete(channel);
        }
        assert.equal(few.get(channel), plain.get(channel));
        assert.equal(few.has(channel), plain.has(channel));
        assert.deepEqual(few.values(), [...plain.values()]);
        assert.equal(few.size, plain.size);
        assert.deepEqual([...few], [...plain]);
      }
    }
  });

  test("can all be deleted while they are gone through", () => {
    for (const count of [0, 1, 5]) {
      const few = new SmallMap<number>();
      for (let n = 0; n < count; n += 1) few.set(`${n}`, n);
      const seen: string[] = [];
      for (const [channel] of few) {
        seen.push(channel);
        few.delete(channel);
      }
      assert.equal(seen.length, count);
      assert.equal(few.size, 0);
    }
  });
});
