/** An error as the user sees it: one line for what a user can mend, the stack for what we have to. */
import { ConfigError } from "../config/config-error.ts";

/**
 * Lines for stderr. Errors with a code of ours, and those of the system about a port, are written for people;
 * everything else is a fault of the program.
 */
export function failureText(error: unknown): string {
  if (error instanceof ConfigError) return problemText(error.problems, undefined);
  if (!(error instanceof Error)) return `pipit: ${String(error)}\n`;
  const code = "code" in error ? String(error.code) : "";
  if (code.startsWith("PIPIT_")) return `pipit: ${oneLine(error.message)}\n`;
  if (code === "EADDRINUSE") {
    return `pipit: ${oneLine(error.message)}: stop what listens there, or choose another port.\n`;
  }
  return `pipit: this is a fault of Pipit, please report it.\n${error.stack ?? error.message}\n`;
}

/** The problems of a configuration, one line each. `file`: where most of it stood. */
export function problemText(problems: readonly string[], file: string | undefined): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const where = file === undefined ? "the configuration" : file;
  return `${problems.map(oneLine).join("\n")}\npipit: ${count} in ${where}\n`;
}

/** Warnings, one line each; those about security cannot be overlooked. */
export function warningText(warnings: readonly string[]): string {
  return warnings
    .map((warning) => {
      if (!warning.startsWith("SECURITY")) return `warning: ${oneLine(warning)}\n`;
      const bar = "!".repeat(78);
      return `${bar}\n${oneLine(warning)}\n${bar}\n`;
    })
    .join("");
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}
