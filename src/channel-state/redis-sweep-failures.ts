/** What sweeps could not settle: counted each time, told once when it begins and once when it ends. */
import type { StateContext } from "./redis-state-context.ts";

/** How many of one kind could not be settled in a sweep, and why the last of them. */
export interface SweepFailure {
  readonly count: number;
  readonly error: unknown;
}

/** Called at the end of each sweep of a partition, with what failed in it by kind. */
export type SweepFailures = (partition: number, failed: ReadonlyMap<string, SweepFailure>) => void;

export function createSweepFailures({
  counters,
  log,
}: Pick<StateContext, "counters" | "log">): SweepFailures {
  /** Kind to the partitions in which it failed last time. */
  const failing = new Map<string, Set<number>>();

  return (partition, failed) => {
    for (const [kind, { count, error }] of failed) {
      counters.sweepFailures += count;
      let partitions = failing.get(kind);
      if (!partitions) {
        partitions = new Set();
        failing.set(kind, partitions);
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ kind, partition, reason }, "what is due cannot be settled");
      }
      partitions.add(partition);
    }
    for (const [kind, partitions] of failing) {
      if (failed.has(kind) || !partitions.delete(partition) || partitions.size > 0) continue;
      failing.delete(kind);
      log.info({ kind }, "what is due is settled again");
    }
  };
}
