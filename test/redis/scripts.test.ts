import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("Lua scripts", () => {
  const scripts = filesUnder("src").filter((file) => file.endsWith(".lua"));

  test("the build has each beside the compiled modules, as it is in the sources", () => {
    assert.ok(scripts.length > 0);
    assert.deepEqual(
      filesUnder("dist").filter((file) => file.endsWith(".lua")),
      scripts,
    );
    for (const file of scripts) {
      const built = readFileSync(join(ROOT, "dist", file), "utf8");
      assert.equal(built, readFileSync(join(ROOT, "src", file), "utf8"), `${file}: npm run build`);
    }
  });

  test("every compiled module that loads scripts finds them", async () => {
    const modules = filesUnder("dist").filter(
      (file) =>
        file.endsWith(".js") && readFileSync(join(ROOT, "dist", file), "utf8").includes(".lua"),
    );
    assert.ok(modules.length >= 2);
    for (const file of modules) await import(pathToFileURL(join(ROOT, "dist", file)).href);
  });

  test("each begins by saying what it is for", () => {
    for (const file of scripts) {
      assert.match(readFileSync(join(ROOT, "src", file), "utf8"), /^-- [A-Z]/, file);
    }
  });
});

/** Relative to the folder, sorted. */
function filesUnder(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" }).sort();
}
