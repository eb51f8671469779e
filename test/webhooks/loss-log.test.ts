import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createLossLog } from "../../src/webhooks/loss-log.ts";

function open() {
  const lines: unknown[] = [];
  let nowMs = 1_000_000;
  const error = (fields: Readonly<Record<string, unknown>>, message: string) =>
    lines.push([message, fields.endpoint, fields.reason, fields.events]);
  const losses = createLossLog({ ...SILENT_LOG, error }, () => nowMs);
  return {
    lines,
    losses,
    advance(ms: number) {
      nowMs += ms;
      losses.flush(false);
    },
  };
}

describe("what is given up", () => {
  test("is logged at once, then in sums once a minute, until it ends", () => {
    const { lines, losses, advance } = open();
    losses.note("app", "one", "overflow", 1, 0);
    losses.note("app", "one", "overflow", 1, 1);
    assert.deepEqual(lines.splice(0), [
      ["webhook events became dead letters", "one", "overflow", 1],
      ["webhook events dropped", "one", "overflow", 1],
    ]);
    for (let i = 0; i < 999; i++) losses.note("app", "one", "overflow", 1, 1);
    advance(59_000);
    assert.deepEqual(lines, []);
    advance(1_000);
    assert.deepEqual(lines.splice(0), [
      ["webhook events became dead letters", "one", "overflow", 1_000],
      ["webhook events dropped", "one", "overflow", 999],
    ]);
    advance(60_000);
    assert.deepEqual(lines, []);
    losses.note("app", "one", "overflow", 1, 0);
    assert.equal(lines.length, 1, "a new beginning");
  });

  test("is logged apart for each endpoint and reason, and in full at the end", () => {
    const { lines, losses } = open();
    for (const id of ["one", "two"]) losses.note("app", id, "budget", 2, 0);
    losses.note("app", "one", "refused", 1, 0);
    assert.equal(lines.splice(0).length, 3);
    losses.note("app", "two", "budget", 5, 0);
    losses.flush(true);
    assert.deepEqual(lines, [["webhook events became dead letters", "two", "budget", 5]]);
  });
});
