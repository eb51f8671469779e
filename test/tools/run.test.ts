import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** As `npm test -- …` does. */
function run(args: readonly string[]) {
  return runTool("run.ts", args);
}

async function runTool(tool: string, args: readonly string[]) {
  // Node's runner would take a run inside of a run for a part of itself.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--import", "tsx", `test/tools/${tool}`, ...args], {
    cwd: ROOT,
    env,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk;
    });
  }
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  return { output, exitCode };
}

function testFile(t: TestContext, body: string, name = "a"): string {
  const folder = mkdtempSync(join(tmpdir(), "pipit-run-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, `${name}.test.ts`);
  writeFileSync(file, `import { test } from "node:test";\n${body}`);
  return file;
}

describe("npm test", () => {
  test("is green with the totals as closing lines when all pass", async (t) => {
    const file = testFile(t, 'test("one", () => {}); test("two", () => {});');
    const { output, exitCode } = await run([file]);
    assert.equal(exitCode, 0, output);
    assert.match(output, /summary.*✔ unit +\d+\.\d s\n# tests 2\n# pass 2\n# fail 0\n/s);
  });

  test("one failure makes it red, shown in full and named", async (t) => {
    const body = 'test("one", () => {}); test("two", () => { throw new Error("broken"); });';
    const { output, exitCode } = await run([testFile(t, body)]);
    assert.equal(exitCode, 1);
    assert.match(output, /✖ two\n.*Error: broken.*✖ unit.*# fail 1/s);
  });

  test("a file that cannot be loaded makes it red", async (t) => {
    const { output, exitCode } = await run([testFile(t, 'import "./absent.ts";')]);
    assert.equal(exitCode, 1);
    assert.match(output, /absent\.ts/);
  });

  test("files begin in the order in which they are given, not in that of their names", async (t) => {
    const first = testFile(t, 'console.log("begun: first"); test("one", () => {});', "z");
    const second = testFile(t, 'console.log("begun: second"); test("two", () => {});', "b");
    // One at a time.
    const { output, exitCode } = await runTool("run-files.mjs", ["1", "60000", first, second]);
    assert.equal(exitCode, 0, output);
    assert.match(output, /begun: first.*begun: second.*# pass 2/s);
  });

  test("a word that is neither area nor file is refused with the areas there are", async () => {
    const { output, exitCode } = await run(["untis"]);
    assert.equal(exitCode, 1);
    assert.match(output, /no area or file "untis".*types, lint, build, unit/);
  });
});
