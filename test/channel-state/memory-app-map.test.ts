import assert from "node:assert/strict";
import { test } from "node:test";
import { createAppMap } from "../../src/channel-state/memory-app-map.ts";

test("entries of several apps stand apart and are counted together", () => {
  const map = createAppMap<number>();
  map.set("1", "a", 1);
  map.set("1", "a", 2);
  map.set("2", "a", 3);
  assert.deepEqual([map.get("1", "a"), map.get("2", "a"), map.get("3", "a")], [2, 3, undefined]);
  assert.deepEqual([...map.of("1")], [["a", 2]]);
  assert.equal(map.size, 2);
  map.delete("1", "a");
  map.delete("1", "a");
  map.delete("3", "a");
  assert.equal(map.size, 1);
  assert.equal(map.of("1").size, 0);
});
