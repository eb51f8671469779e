import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEFAULT_PARTITIONS, partitionOf } from "../../src/protocol/partition.ts";

/** FNV-1a in plain big integers, folded, written here apart from the code under test. */
function reference(text: string, partitions: number): number {
  let hash = 2_166_136_261n;
  for (const unit of text.split("")) {
    hash = ((hash ^ BigInt(unit.charCodeAt(0))) * 16_777_619n) % 2n ** 32n;
  }
  return Number((hash ^ (hash >> 15n)) % BigInt(partitions));
}

describe("partitionOf", () => {
  test("is the hash of app and channel, whoever computes it", () => {
    for (const [app, channel] of [
      ["3", "room"],
      ["", ""],
      ["42", "presence-cache-a;b,c@d=e"],
      ["app", "#server-to-user-é😀"],
      ["1", "a".repeat(200)],
    ] as const) {
      for (const partitions of [1, 4, 64, 100, 4_096]) {
        const expected = reference(`${app}:${channel}`, partitions);
        assert.equal(partitionOf(app, channel, partitions), expected, `${app}:${channel}`);
      }
    }
  });

  test("stays within the partitions and spreads names that differ little", () => {
    for (const name of ["room-", "private-chat-", "presence-"]) {
      const filled = new Array<number>(DEFAULT_PARTITIONS).fill(0);
      for (let i = 0; i < 6_400; i++) {
        const partition = partitionOf("42", `${name}${i}`, DEFAULT_PARTITIONS);
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < DEFAULT_PARTITIONS);
        filled[partition] = (filled[partition] ?? 0) + 1;
      }
      const fullest = Math.max(...filled);
      const emptiest = Math.min(...filled);
      assert.ok(fullest < 200 && emptiest > 30, `${name}: ${emptiest} to ${fullest} of 100`);
    }
  });
});
