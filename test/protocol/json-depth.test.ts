import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeeperThan, MAX_JSON_DEPTH } from "../../src/protocol/json-depth.ts";

function arrays(levels: number): unknown {
  return JSON.parse("[".repeat(levels) + "]".repeat(levels));
}

function objects(levels: number): unknown {
  return JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`);
}

describe("isDeeperThan", () => {
  test("counts arrays and objects alike, and nothing else", () => {
    for (const flat of [null, 1, "[[[[", true]) assert.equal(isDeeperThan(flat, 0), false);
    assert.equal(isDeeperThan([], 0), true);
    assert.equal(isDeeperThan({ a: [{ b: 1 }] }, 3), false);
    assert.equal(isDeeperThan({ a: [{ b: 1 }] }, 2), true);
  });

  test("lets exactly the levels allowed through", () => {
    for (const nest of [arrays, objects]) {
      assert.equal(isDeeperThan(nest(MAX_JSON_DEPTH)), false);
      assert.equal(isDeeperThan(nest(MAX_JSON_DEPTH + 1)), true);
    }
  });

  test("finds the one deep part wherever it stands", () => {
    assert.equal(isDeeperThan([1, {}, arrays(64)]), true);
    assert.equal(isDeeperThan({ a: 1, z: { y: objects(63) } }), true);
    assert.equal(isDeeperThan(JSON.parse(`{"__proto__":${JSON.stringify(arrays(64))}}`)), true);
  });

  test("50,000 levels are looked at without overflowing the stack", () => {
    assert.equal(isDeeperThan(arrays(50_000)), true);
    assert.equal(isDeeperThan(objects(50_000)), true);
  });
});
