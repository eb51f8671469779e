import assert from "node:assert/strict";
import { test } from "node:test";
import { ageText, countText, tableText, timeText } from "../../src/cli/webhooks-text.ts";

test("an age has its two largest units", () => {
  for (const [ms, text] of [
    [-5, "0s"],
    [999, "0s"],
    [59_999, "59s"],
    [60_000, "1m"],
    [3_725_000, "1h 2m"],
    [3_605_000, "1h"],
    [90_000_000, "1d 1h"],
    [86_400_000 * 40 + 5, "40d"],
  ] as const) {
    assert.equal(ageText(ms), text, String(ms));
  }
});

test("a table is as wide as its widest cells, and numbers stand to the right", () => {
  const table = tableText(
    ["ID", "N", "END"],
    [
      ["a", "10", ""],
      ["longer", "2", "x"],
    ],
    ["N"],
  );
  assert.equal(table, "ID       N  END\na       10\nlonger   2  x\n");
});

test("one of a thing is no plural, and many have separators", () => {
  assert.equal(countText(1, "event"), "1 event");
  assert.equal(countText(1_200, "event"), "1,200 events");
  assert.equal(timeText(1_780_000_000_999), "2026-05-28 20:26:40Z");
});
