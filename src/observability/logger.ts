/**
 * The root logger. Rooms get a child of it handed in and never import the library behind it.
 *
 * Redaction here is the net, not the plan: nobody logs a secret on purpose, but an object that carries one
 * in a field of a telling name loses it before it is written.
 */
import { type Logger, pino, stdTimeFunctions } from "pino";
import { prettyFactory } from "pino-pretty";
import { createLogOutput, type LogOutput } from "./log-output.ts";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

export interface LoggerOptions {
  readonly level: (typeof LOG_LEVELS)[number];
  /** `auto`: pretty on a terminal, one JSON object per line everywhere else. */
  readonly format: "auto" | "json" | "pretty";
}

/** Field names whose value is never written, at the top of a line and up to two levels below it. */
const REDACTED_FIELDS = [
  "secret",
  "auth",
  "auth_signature",
  "signature",
  "passphrase",
  "password",
  "authorization",
  "Authorization",
  "cookie",
  "x-pusher-signature",
  "X-Pusher-Signature",
] as const;

/** What stands in place of a redacted value. */
export const REDACTED = "[redacted]";

/** What a logger writes its lines to. */
export type LineWriter = Pick<LogOutput, "write"> & Partial<Pick<LogOutput, "isTerminal">>;

/**
 * A logger that writes to `output`, standard output by default. Writes are synchronous, so that nothing is lost
 * when the process ends on a fault; they are rare, for no message costs a line.
 */
export function createLogger(
  options: LoggerOptions,
  output: LineWriter = createLogOutput(),
): Logger {
  const isTerminal = output.isTerminal === true;
  const isPretty = options.format === "pretty" || (options.format === "auto" && isTerminal);
  return pino(
    {
      level: options.level,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths(), censor: REDACTED },
    },
    isPretty ? prettyLines(output, isTerminal) : output,
  );
}

/** Rewrites each line on its way to `output`. Not a stream or a worker, which would write it later. */
function prettyLines(output: LineWriter, colorize: boolean): LineWriter {
  const prettify = prettyFactory({
    colorize,
    ignore: "pid,hostname",
    translateTime: "SYS:HH:MM:ss.l",
  });
  return { write: (line) => output.write(prettify(line) ?? line) };
}

function redactedPaths(): string[] {
  return REDACTED_FIELDS.flatMap((name) => {
    const key = `["${name}"]`;
    return [key, `*${key}`, `*.*${key}`];
  });
}
