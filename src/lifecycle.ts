/** From start to stop, each at most once, and what readiness says meanwhile. */
import type { Readiness } from "./http/health-routes.ts";

type Phase = "new" | "starting" | "running" | "stopping" | "stopped";

export interface Lifecycle {
  readiness(): Readiness;
  /** Runs `start`; when it rejects, runs `undo` and rejects with the first error. */
  start(start: () => Promise<void>, undo: () => Promise<void>): Promise<void>;
  /** Runs `stop` once; every caller waits for it. A server that never ran stops at once. */
  stop(stop: () => Promise<void>): Promise<void>;
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

export function createLifecycle(): Lifecycle {
  let phase: Phase = "new";
  let stopped: Promise<void> | undefined;

  return {
    readiness() {
      if (phase === "running") return { ready: true, reasons: [] };
      const isDraining = phase === "stopping" || phase === "stopped";
      return { ready: false, reasons: [REASONS[phase]], isDraining };
    },
    async start(start, undo) {
      if (phase !== "new") throw new AlreadyStartedError("A server listens once: create another.");
      phase = "starting";
      try {
        await start();
        phase = "running";
      } catch (error) {
        phase = "stopped";
        await undo();
        throw error;
      }
    },
    stop(stop) {
      if (phase === "new" || (phase === "stopped" && stopped === undefined)) {
        phase = "stopped";
        return Promise.resolve();
      }
      phase = "stopping";
      stopped ??= stop().finally(() => {
        phase = "stopped";
      });
      return stopped;
    },
  };
}
