/**
 * How test results are shown: a dot each while they run, then every failure in full, then slow tests, and the
 * totals as the last lines (`# tests 12`), which is what people and machines look for.
 *
 * Plain JavaScript, since Node loads reporters before whatever could translate TypeScript.
 */
import { inspect } from "node:util";

const DOTS_PER_LINE = 100;
const SLOW_MS = 3_000;

// biome-ignore lint/style/noDefaultExport: node:test takes a reporter's default export.
export default async function* report(source) {
  const failures = [];
  const slow = [];
  const totals = [];
  let dots = 0;
  for await (const { type, data } of source) {
    if (type === "test:diagnostic" && data.nesting === 0) totals.push(data.message);
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    // The failure of a parent says no more than those of its children.
    if (type === "test:fail" && data.details.error?.failureType !== "subtestsFailed") {
      failures.push(data);
    }
    if (data.details.type === "suite") continue;
    if (data.details.duration_ms > SLOW_MS) slow.push(data);
    dots += 1;
    yield (type === "test:pass" ? "." : "X") + (dots % DOTS_PER_LINE === 0 ? "\n" : "");
  }
  yield "\n";
  for (const { name, file, line, details } of failures) {
    const error = details.error?.cause ?? details.error;
    yield `\n✖ ${name}\n  ${file}:${line}\n${inspect(error, { depth: 8 })}\n`;
  }
  for (const { name, details } of slow) {
    yield `slow: ${(details.duration_ms / 1e3).toFixed(1)} s ${name}\n`;
  }
  yield `${totals.map((line) => `# ${line}`).join("\n")}\n`;
}
