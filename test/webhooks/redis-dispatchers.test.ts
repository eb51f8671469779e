import assert from "node:assert/strict";
import { test } from "node:test";
import { isWanted } from "../../src/webhooks/redis-dispatchers.ts";

test("of the partitions only those change hands that a dispatcher brings or takes with it", () => {
  const owners = (among: readonly string[]) => {
    const found = new Map<number, string>();
    for (const name of among) {
      for (let p = 0; p < 64; p++) if (isWanted(among, name, p)) found.set(p, name);
    }
    return found;
  };
  const [two, three] = [owners(["a", "b"]), owners(["a", "b", "c"])];
  assert.deepEqual([two.size, three.size], [64, 64]);
  for (const [partition, owner] of three) {
    if (owner !== "c") assert.equal(two.get(partition), owner);
  }
});
