import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSocketIds, isSocketId } from "../../src/protocol/socket-id.ts";

describe("createSocketIds", () => {
  test("makes ids that every server library accepts, each half below 2^53", () => {
    const next = createSocketIds();
    for (let i = 0; i < 1_000; i++) {
      const id = next();
      assert.match(id, /^\d+\.\d+$/);
      for (const half of id.split(".")) assert.ok(Number(half) < 2 ** 53, id);
      assert.ok(isSocketId(id));
    }
  });

  test("never gives one id twice, also when several sources draw", () => {
    const sources = [createSocketIds(), createSocketIds()];
    const ids = new Set<string>();
    for (let i = 0; i < 2_000; i++) for (const next of sources) ids.add(next());
    assert.equal(ids.size, 4_000);
  });
});

describe("isSocketId", () => {
  test("wants two runs of digits with a point between, and nothing around them", () => {
    for (const id of ["1234.1234", "0.0", "18446744073709551615.18446744073709551615"]) {
      assert.equal(isSocketId(id), true, id);
    }
    for (const wrong of [
      "",
      ".",
      "1",
      "1.",
      ".1",
      "1.2.3",
      "1,2",
      "a.1",
      "1.2\n",
      " 1.2",
      "-1.2",
      "1.2:private-x",
      "١.٢",
      `${"1".repeat(21)}.1`,
      1.2,
      null,
      ["1.2"],
    ]) {
      assert.equal(isSocketId(wrong), false, JSON.stringify(wrong));
    }
  });
});
