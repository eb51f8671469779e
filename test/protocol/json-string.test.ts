import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonString } from "../../src/protocol/json-string.ts";
import { randomText, seededSource } from "../support/random-source.ts";

test("every character alone is what JSON.stringify gives", () => {
  for (let code = 0; code <= 0xffff; code++) {
    const text = String.fromCharCode(code);
    assert.equal(jsonString(text), JSON.stringify(text), `code ${code}`);
  }
});

test("every text is what JSON.stringify gives", (t) => {
  const { seed, below } = seededSource(t);
  const pieces = [
    "order-created",
    " ",
    '"',
    "\\",
    "/",
    "\n",
    "\u007f",
    "é",
    "\u2028",
    "\ud83d",
    "😀",
  ];
  for (let round = 0; round < 10_000; round++) {
    const text = randomText(below, below(2) === 0 ? pieces : pieces.slice(0, 2), 8);
    assert.equal(jsonString(text), JSON.stringify(text), `seed ${seed}`);
  }
});
