import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { areaOf, findAreas, findRedisTests, LONGEST } from "./areas.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

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

  test("what takes longest comes first in its area, and is there in this project", (t) => {
    const longest = "test/cluster/state-simulation.test.ts";
    const root = project(t, ["test/cluster/a.test.ts", longest, "test/http/b.test.ts"]);
    assert.deepEqual(findAreas(root), [
      { name: "unit", files: ["test/http/b.test.ts"] },
      { name: "cluster", files: [longest, "test/cluster/a.test.ts"] },
    ]);
    for (const file of LONGEST) assert.ok(existsSync(join(ROOT, file)), file);
  });

  test("the folder decides, not a word in the file's name", () => {
    assert.equal(areaOf("test/webhooks/integration.test.ts"), "unit");
    assert.equal(areaOf("test/integration/x.test.ts"), "integration");
  });
});

describe("findRedisTests", () => {
  test("takes the room, the drivers and the cluster, wherever they lie", (t) => {
    const root = project(t, [
      "test/adapters/local-adapter.test.ts",
      "test/adapters/redis-adapter.test.ts",
      "test/cluster/nodes.test.ts",
      "test/faults/redis-webhooks.test.ts",
      "test/redis/bus.test.ts",
      "test/redis/open-connections.ts",
    ]);
    assert.deepEqual(findRedisTests(root), [
      "test/adapters/redis-adapter.test.ts",
      "test/cluster/nodes.test.ts",
      "test/faults/redis-webhooks.test.ts",
      "test/redis/bus.test.ts",
    ]);
  });

  test("no test of this project that starts a Redis is left out", () => {
    const found = new Set(findRedisTests(ROOT));
    const starts = /from "\.\.\/support\/(?:redis-\w+|nodes)\.ts"/;
    for (const { files } of findAreas(ROOT)) {
      for (const file of files) {
        if (!starts.test(readFileSync(join(ROOT, file), "utf8"))) continue;
        assert.ok(found.has(file), `${file} starts a Redis: name it redis-….test.ts`);
      }
    }
  });
});
