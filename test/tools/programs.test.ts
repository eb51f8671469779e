import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { CHROMIUM, findProgram, missingProgramsText, REDIS } from "./programs.ts";

function folder(t: TestContext, files: Readonly<Record<string, number>>): string {
  const path = mkdtempSync(join(tmpdir(), "pipit-programs-"));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, mode] of Object.entries(files)) {
    writeFileSync(join(path, name), "");
    chmodSync(join(path, name), mode);
  }
  return path;
}

describe("findProgram", () => {
  test("takes the first of the names that is there, from any folder of the path", (t) => {
    const [empty, full] = [folder(t, {}), folder(t, { "google-chrome": 0o755, chromium: 0o755 })];
    assert.equal(findProgram(CHROMIUM, [empty, full].join(delimiter)), join(full, "chromium"));
  });

  test("a file that cannot be run, and a name that is not there, are not found", (t) => {
    const path = folder(t, { chromium: 0o644, firefox: 0o755 });
    // Root may run what has any x bit, so the mode has none.
    assert.equal(findProgram(CHROMIUM, path), undefined);
    assert.equal(findProgram(CHROMIUM, ""), undefined);
  });
});

describe("missingProgramsText", () => {
  test("names each program and ends with one command that installs them all", () => {
    const text = missingProgramsText([REDIS, CHROMIUM]);
    assert.match(text, /Redis \(redis-server\) and Chromium \(chromium or /);
    assert.match(text, /sudo apt-get update && sudo apt-get install -y redis-server chromium$/);
  });
});
