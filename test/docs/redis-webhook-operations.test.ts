/**
 * The transcripts of docs/webhook-operations.md are what the commands print. With PIPIT_WRITE_DOCS=1 the page
 * is written anew from this run.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { codeBlocks, ROOT, readPage } from "./pages.ts";
import { setStage } from "./webhook-stage.ts";
import { normalized, renewed } from "./webhook-transcript.ts";

const FILE = "docs/webhook-operations.md";
const COMMANDS = [
  "status",
  "list",
  "show",
  "replay",
  "drop",
  "move",
  "pause",
  "resume",
  "retry",
  "explain",
  "listen",
  "send",
  "verify",
];

test("the transcripts of docs/webhook-operations.md are what the commands print", async (t) => {
  const page = readPage(FILE);
  const now = await renewed(page, await setStage(t));
  if (process.env.PIPIT_WRITE_DOCS === "1") writeFileSync(join(ROOT, FILE), now);
  else assert.equal(normalized(now), normalized(page));
});

test("docs/webhook-operations.md shows every command", () => {
  const shown = codeBlocks(readPage(FILE))
    .filter(({ language }) => language === "console")
    .flatMap(({ code }) => [...code.matchAll(/^\$ pipit webhooks (\w+)/gm)])
    .map(([, command]) => command);
  assert.deepEqual([...new Set(shown)].sort(), [...COMMANDS].sort());
});
