import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { partitionOf } from "../../src/protocol/partition.ts";
import { HASH_SLOTS, hashSlot } from "../../src/redis/hash-slot.ts";
import { createKeys } from "../../src/redis/keys.ts";

describe("hashSlot", () => {
  test("is the slot that Redis gives a key, of the hash tag alone where there is one", () => {
    // As CLUSTER KEYSLOT answers.
    for (const [key, slot] of [
      ["foo", 12_182],
      ["123456789", 12_739],
      ["{user1000}.following", 3_443],
      ["foo{}{bar}", 8_363],
      ["foo{{bar}}zap", 4_015],
    ] as const) {
      assert.equal(hashSlot(key), slot, key);
    }
  });
});

describe("createKeys", () => {
  const keys = createKeys({ prefix: "p:", partitions: 64 });

  test("spreads partitions evenly over the hash slots, each in the range of its number", () => {
    for (const partitions of [1, 2, 64, 256, 1_000]) {
      const many = createKeys({ partitions });
      for (let p = 0; p < partitions; p++) {
        const slot = hashSlot(many.key(p, "hb"));
        assert.equal(Math.floor((slot * partitions) / HASH_SLOTS), p);
      }
    }
  });

  test("puts everything of a channel into the slot of its partition", () => {
    for (const channel of ["room", "presence-a;b,c@d=e.f_1-2", "#server-to-user-{x}é:😀"]) {
      const p = partitionOf("1", channel, 64);
      assert.equal(keys.partition("1", channel), p);
      const slot = hashSlot(keys.wakeTopic(p));
      for (const name of [
        keys.topic("1", channel),
        keys.key(p, "c", "1", channel),
        keys.key(p, "ev"),
        keys.probeTopic(p, "n1"),
      ]) {
        assert.equal(hashSlot(name), slot, name);
        assert.match(name, /^p:v1:64:\{[0-9a-z]+\}:/);
      }
    }
  });

  test("tells about a user in the partition of the user's channel", () => {
    const topic = keys.watchTopic("1", "u:1");
    const p = keys.partition("1", "#server-to-user-u:1");
    assert.equal(keys.partitionOfTopic(topic), p);
    assert.equal(keys.subject(topic), "1:u:1");
    assert.equal(keys.partitionOfTopic(keys.topic("1", "#server-to-user-u:1")), p);
  });

  test("reads back from a topic its partition and what it is about, whatever the names hold", () => {
    for (const channel of ["room", "#server-to-user-}:m:{a}:b", "😀"]) {
      const topic = keys.topic("app-1", channel);
      assert.equal(keys.subject(topic), `app-1:${channel}`);
      assert.equal(keys.partitionOfTopic(topic), keys.partition("app-1", channel));
    }
    assert.equal(keys.partitionOfTopic(keys.wakeTopic(63)), 63);
    for (const other of ["x", "p:v1:32:{18}:m:1:a", "p:v1:64:{zzz}:wake", ""]) {
      assert.equal(keys.partitionOfTopic(other), undefined, other);
    }
  });

  test("keeps the key that all releases read outside the versioned prefix", () => {
    assert.equal(keys.meta, "p:meta");
  });

  test("refuses a number of partitions that cannot be, and a partition that is not there", () => {
    for (const partitions of [0, -1, 1.5, HASH_SLOTS + 1, Number.NaN]) {
      assert.throws(() => createKeys({ partitions }), RangeError);
    }
    assert.throws(() => keys.key(64, "hb"), RangeError);
  });
});
