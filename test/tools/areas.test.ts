import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { areaOf, findAreas } from "./areas.ts";

function project(t: TestContext, files: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), "pipit-areas-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), "");
  }
  return root;
}

describe("findAreas", () => {
  test("a folder that nobody named belongs to the unit tests, so no test is forgotten", (t) => {
    const root = project(t, ["test/brand-new/a.test.ts", "test/http/b.test.ts"]);
    assert.deepEqual(findAreas(root), [
      { name: "unit", files: ["test/brand-new/a.test.ts", "test/http/b.test.ts"] },
    ]);
  });

  test("own areas come after the unit tests, with folders inside them, empty ones not at all", (t) => {
    const root = project(t, [
      "test/browser/a.test.ts",
      "test/integration/deep/b.test.ts",
      "test/integration/support.ts",
      "test/http/c.test.ts",
      "test/faults/helper.ts",
    ]);
    assert.deepEqual(findAreas(root), [
      { name: "unit", files: ["test/http/c.test.ts"] },
      { name: "integration", files: ["test/integration/deep/b.test.ts"] },
      { name: "browser", files: ["test/browser/a.test.ts"] },
    ]);
  });

  test("the folder decides, not a word in the file's name", () => {
    assert.equal(areaOf("test/webhooks/integration.test.ts"), "unit");
    assert.equal(areaOf("test/integration/x.test.ts"), "integration");
  });
});
