import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function packedFiles(): readonly string[] {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [pack] = JSON.parse(output) as { files: { path: string }[] }[];
  return (pack?.files ?? []).map(({ path }) => path);
}

describe("the npm package", () => {
  const files = packedFiles();

  test("has the built server with its types, a config to start from and its schema", () => {
    const wanted = ["dist/main.js", "dist/index.js", "dist/index.d.ts", "config.json"];
    for (const file of [...wanted, "config.schema.json", "LICENSE", "package.json"]) {
      assert.ok(files.includes(file), file);
    }
  });

  test("has nothing of the tests, the sources or this machine", () => {
    const others = files.filter(
      (file) =>
        !file.startsWith("dist/") &&
        !/^(config\.json|config\.schema\.json|package\.json|LICENSE|README\.md|CHANGELOG\.md)$/.test(
          file,
        ),
    );
    assert.deepEqual(others, []);
    assert.deepEqual(
      files.filter((file) => /(?:^|\/)(?:test|bench|src)\/|\.test\./.test(file)),
      [],
    );
  });

  test("every entry that package.json names is in it", () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const entries: string[] = [
      ...Object.values(manifest.bin as Record<string, string>),
      ...Object.values(manifest.exports["."] as Record<string, string>),
      manifest.exports["./config.schema.json"],
    ];
    for (const entry of entries) assert.ok(files.includes(entry.replace(/^\.\//, "")), entry);
  });

  test("the binary is executable and starts with Node", () => {
    const version = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version;
    assert.match(readFileSync(join(ROOT, "dist/main.js"), "utf8"), /^#!\/usr\/bin\/env node\n/);
    const output = execFileSync(join(ROOT, "dist/main.js"), ["version"], { encoding: "utf8" });
    assert.ok(output.includes(version), output);
  });
});
