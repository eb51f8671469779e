/** How a started server ends: asked by a signal, or by a fault that nobody caught. */
import type { CommandedServer, ProcessEvents } from "./world.ts";

export interface Stopping {
  readonly process: ProcessEvents;
  /** How long `close` should take at most; the process waits a little longer and then goes. */
  readonly graceS: number;
  err(text: string): void;
  logFatal(error: unknown, message: string): void;
}

const CLOSE_MARGIN_S = 5;
const EXIT_OF_SIGNAL = 130;

export interface StopWatch {
  /** The server is being closed, and the process will exit: what a start that is under way meets follows from that. */
  isClosing(): boolean;
}

/**
 * The first SIGTERM or SIGINT closes `server` and exits with 0, the second exits at once with 130. An uncaught
 * exception or rejection is logged, then the server is closed and the process exits with 1.
 */
export function stopOnSignals(server: CommandedServer, stopping: Stopping): StopWatch {
  const { process, graceS } = stopping;
  let isClosing = false;

  function close(exitCode: number): void {
    isClosing = true;
    const tooLong = setTimeout(
      () => {
        stopping.err("pipit: closing took too long, exiting without the rest.\n");
        process.exit(1);
      },
      (graceS + CLOSE_MARGIN_S) * 1_000,
    );
    server.close().then(
      () => {
        clearTimeout(tooLong);
        process.exit(exitCode);
      },
      (error: unknown) => {
        clearTimeout(tooLong);
        report(error, "close failed");
        process.exit(1);
      },
    );
  }

  /** Last words. A fault in them would be uncaught too, and come back here for ever. */
  function report(error: unknown, message: string): void {
    try {
      stopping.logFatal(error, message);
    } catch {
      stopping.err(`pipit: ${message}, and it could not be logged.\n`);
    }
  }

  function onSignal(): void {
    if (isClosing) process.exit(EXIT_OF_SIGNAL);
    else close(0);
  }

  function onFault(error: unknown, message: string): void {
    report(error, message);
    if (isClosing) process.exit(1);
    else close(1);
  }

  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  process.on("uncaughtException", (error) => onFault(error, "uncaught exception"));
  process.on("unhandledRejection", (error) => onFault(error, "unhandled rejection"));
  return { isClosing: () => isClosing };
}
