/**
 * Runs test files as `node --test` does, but begins them in the order given: that one sorts them by name.
 *
 *   node --import tsx test/tools/run-files.mjs 2 180000 a.test.ts b.test.ts
 *
 * Two files at a time here, each for at most 180,000 ms. What Node is started with goes on to each of them.
 * Exit code 0 when all pass.
 *
 * Plain JavaScript, as the reporter.
 */
import { resolve } from "node:path";
import { run } from "node:test";
import report from "./reporter.mjs";

const [concurrency, timeout, ...files] = process.argv.slice(2);
const results = run({
  files: files.map((file) => resolve(file)),
  concurrency: Number(concurrency),
  timeout: Number(timeout),
});
results.on("test:fail", () => {
  process.exitCode = 1;
});
results.compose(report).pipe(process.stdout);
