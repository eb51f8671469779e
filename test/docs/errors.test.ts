import assert from "node:assert/strict";
import { test } from "node:test";
import { readPage } from "./pages.ts";
import { sourceFiles } from "./sources.ts";

/** Codes that stand in `code` of an error class. Environment variables begin alike, but never stand there. */
function codesInSource(): readonly string[] {
  const lines = sourceFiles("src").flatMap(({ text }) => text.split("\n"));
  const found = lines
    .filter((line) => /\bcode\b\s*[:=]/.test(line))
    .flatMap((line) => line.match(/(?<=")PIPIT_[A-Z_]+(?=")/g) ?? []);
  return [...new Set(found)].sort();
}

test("docs/errors.md has a row for every code of an error, in order, and no other", () => {
  const rows = [...readPage("docs/errors.md").matchAll(/^\| `(PIPIT_[A-Z_]+)` \|/gm)];
  assert.deepEqual(
    rows.map(([, code]) => code),
    codesInSource(),
  );
});
