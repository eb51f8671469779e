/**
 * Where log lines leave the process. A line that cannot be written (a full disk, a reader that went away) is
 * lost and counted, the first also told on standard error: the server matters more than what it says.
 */
import { writeSync } from "node:fs";

export interface LogOutput {
  /** Whether a person reads along. */
  readonly isTerminal: boolean;
  readonly counters: {
    /** Lines that were lost, whole or in part, since the start. */
    readonly linesLost: number;
  };
  /** Writes one line with its line end at once. Never throws. */
  write(line: string): void;
}

const STANDARD_OUTPUT = 1;
const STANDARD_ERROR = 2;
/** How long a line waits for a reader who has fallen behind, when the system does not do that itself. */
const MAX_WAIT_MS = 100;
const WAIT_STEP_MS = 5;

/**
 * Lines go to the file descriptor `fd`, standard output by default, which stays open. `writeBytes` answers how
 * many of the bytes it wrote; `tell` is called once, with the first loss.
 */
export function createLogOutput(
  fd: number = STANDARD_OUTPUT,
  writeBytes: (fd: number, bytes: Uint8Array) => number = writeSync,
  tell: (text: string) => void = tellStandardError,
): LogOutput {
  const counters = { linesLost: 0 };
  const gate = new Int32Array(new SharedArrayBuffer(4));
  let isLosing = false;
  /** The last line was cut in the middle: its rest must not look like the beginning of the next. */
  let isTorn = false;

  function write(line: string): void {
    let rest: Uint8Array = Buffer.from(isTorn ? `\n${line}` : line);
    let waitedMs = 0;
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeBytes(fd, rest));
        isTorn = rest.length > 0;
      } catch (error) {
        // Who does not read at all is waited for once, not with every line.
        if (isBusy(error) && !isLosing && waitedMs < MAX_WAIT_MS) {
          Atomics.wait(gate, 0, 0, WAIT_STEP_MS);
          waitedMs += WAIT_STEP_MS;
          continue;
        }
        // Whatever the reason: whoever logs can do nothing about it.
        counters.linesLost += 1;
        if (counters.linesLost === 1) tell(`pipit: log lines are lost: ${reason(error)}.\n`);
        isLosing = true;
        return;
      }
    }
    isLosing = false;
  }

  return { isTerminal: fd === STANDARD_OUTPUT && process.stdout.isTTY === true, counters, write };
}

/** Not through `process.stderr`, whose failure would reach the whole process as an event. */
function tellStandardError(text: string): void {
  try {
    writeSync(STANDARD_ERROR, text);
  } catch {
    // The count is left.
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}
