#!/usr/bin/env node
/** The process behind `pipit`: hands the outside world to the command line. */
import { readBounded } from "./cli/bounded-body.ts";
import { outliveOutputErrors } from "./cli/output-errors.ts";
import { runCli } from "./cli/run.ts";
import { createLogger } from "./observability/logger.ts";
import { checkRedis } from "./redis/check-redis.ts";
import { createServer } from "./server.ts";
import { redisSettings } from "./server-settings.ts";
import { loadUws } from "./transport/uws.ts";
import { VERSION } from "./version.ts";

/** How long the end of the process waits for its output. */
const LINGER_MS = 2_000;

outliveOutputErrors(process);

const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  version: VERSION,
  isTerminal: process.stdout.isTTY === true,
  isErrTerminal: process.stderr.isTTY === true,
  now: Date.now,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  readInput: (maxBytes) => readBounded(process.stdin, maxBytes),
  createServer,
  checkRedis: (config) => checkRedis(redisSettings(config) ?? {}),
  loadedUws: async () => (await loadUws()).loaded,
  process,
  logFatal: (log, error, message) => createLogger(log).fatal({ err: error }, message),
});
if (exitCode !== undefined) {
  // Set, not process.exit(): what was written to a pipe must still arrive.
  process.exitCode ||= exitCode;
  // A start that failed half-way must not be kept alive by what it had opened.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}
