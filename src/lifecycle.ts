/** From start to stop, each at most once, and what readiness says meanwhile. */
import type { Readiness } from "./http/health-routes.ts";

type Phase = "new" | "starting" | "running" | "stopping" | "stopped";

export interface Lifecycle {
  readiness(): Readiness;
  /** Runs `start`; when it rejects, runs `undo` and rejects with the first error. */
  start(start: () => Promise<void>, undo: () => Promise<void>): Promise<void>;
  /** Runs `stop` once, after a start that is under way; every caller waits. A server that never ran stops at once. */
  stop(stop: () => Promise<void>, abort?: () => Promise<void>): Promise<void>;
}

/** `listen` was called twice, or after `close`. */
export class AlreadyStartedError extends Error {
  override readonly name = "AlreadyStartedError";
  readonly code = "PIPIT_ALREADY_STARTED";
}

const REASONS: Readonly<Record<Exclude<Phase, "running">, string>> = {
  new: "The server has not been started.",
  starting: "The server is starting.",
  stopping: "The server is stopping.",
  stopped: "The server has stopped.",
};

/**
 * `problems`: what is wrong with what the server stands on. A running server is ready all the same, unless
 * `mayServe` says no.
 */
export function createLifecycle(
  problems: () => readonly string[] = () => [],
  mayServe: () => boolean = () => true,
): Lifecycle {
  let phase: Phase = "new";
  /** Settled, and never rejected, once the start or its undoing is over. */
  let begun: Promise<void> | undefined;
  let isOpen = false;
  let stopped: Promise<void> | undefined;

  async function begin(start: () => Promise<void>, undo: () => Promise<void>): Promise<void> {
    try {
      await start();
      isOpen = true;
      if (phase === "starting") phase = "running";
    } catch (error) {
      phase = "stopped";
      // What the undoing meets follows from the first error, which is the one to tell.
      await Promise.allSettled([undo()]);
      throw error;
    }
  }

  async function end(stop: () => Promise<void>, abort: () => Promise<void>): Promise<void> {
    const isStarting = phase === "starting";
    phase = "stopping";
    // Only what has been opened can be closed: a stop in the middle of a start waits until that has given up.
    if (isStarting) await abort();
    await begun;
    try {
      if (isOpen) await stop();
    } finally {
      phase = "stopped";
    }
  }

  return {
    readiness() {
      if (phase === "running") return { ready: mayServe(), reasons: problems() };
      const isDraining = phase === "stopping" || phase === "stopped";
      return { ready: false, reasons: [REASONS[phase], ...problems()], isDraining };
    },
    async start(start, undo) {
      if (phase !== "new") throw new AlreadyStartedError("A server listens once: create another.");
      phase = "starting";
      const starting = begin(start, undo);
      begun = starting.catch(() => {});
      await starting;
    },
    stop(stop, abort = async () => {}) {
      stopped ??= end(stop, abort);
      return stopped;
    },
  };
}
