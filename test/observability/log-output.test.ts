import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createLogOutput } from "../../src/observability/log-output.ts";
import { createLogger } from "../../src/observability/logger.ts";

function open(t: TestContext, file: string, flags: string): number {
  const fd = openSync(file, flags);
  t.after(() => closeSync(fd));
  return fd;
}

function logFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "pipit-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, "log");
}

/** Keeps what would go to standard error out of the test's own. */
const inSilence = () => {};

test("a log line on a full disk is lost and counted, and no error reaches who logs", (t) => {
  const told: string[] = [];
  const output = createLogOutput(open(t, "/dev/full", "w"), writeSync, (text) => told.push(text));
  const log = createLogger({ level: "info", format: "json" }, output);
  log.info({}, "a");
  log.fatal({}, "b");
  log.debug({}, "not written anyway");
  assert.equal(output.counters.linesLost, 2);
  assert.deepEqual(told, ["pipit: log lines are lost: ENOSPC: no space left on device, write.\n"]);
});

test("lines are written at once, whole and in order", (t) => {
  const file = logFile(t);
  const output = createLogOutput(open(t, file, "w"));
  const long = "ä".repeat(100_000);
  output.write("first\n");
  output.write(`${long}\n`);
  assert.equal(readFileSync(file, "utf8"), `first\n${long}\n`);
  assert.equal(output.counters.linesLost, 0);
});

test("after a line that was cut in the middle, the next begins on a line of its own", (t) => {
  const file = logFile(t);
  const fd = open(t, file, "w");
  let room = 3;
  const output = createLogOutput(
    fd,
    (to, bytes) => {
      if (room === 0) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      const written = writeSync(to, bytes.subarray(0, room));
      room -= written;
      return written;
    },
    inSilence,
  );
  output.write("first\n");
  assert.equal(output.counters.linesLost, 1);
  room = 100;
  output.write("second\n");
  assert.equal(readFileSync(file, "utf8"), "fir\nsecond\n");
});

test("a reader who falls behind is waited for once, and then no longer until he reads again", (t) => {
  const fd = open(t, logFile(t), "w");
  let attempts = 0;
  let isBusy = true;
  const output = createLogOutput(
    fd,
    (_fd, bytes) => {
      attempts += 1;
      if (isBusy) throw Object.assign(new Error("busy"), { code: "EAGAIN" });
      return bytes.length;
    },
    inSilence,
  );
  output.write("a\n");
  assert.ok(attempts > 1);
  attempts = 0;
  output.write("b\n");
  assert.deepEqual([attempts, output.counters.linesLost], [1, 2]);
  isBusy = false;
  output.write("c\n");
  isBusy = true;
  attempts = 0;
  output.write("d\n");
  assert.ok(attempts > 1);
  assert.equal(output.counters.linesLost, 3);
});
