/**
 * Ids of webhook events: `<epoch>-<partition>-<ms>-<seq>`. Source: architecture.md §5.
 *
 * The epoch is the ms at which the stream began (memory: process start), `ms` and `seq` are the place in the
 * partition's stream. So an id is stable through retries and replays, and grows within a channel.
 */

/** Gives a partition's stream its next id: later than every one before, also when the clock steps back. */
export interface EventIds {
  next(nowMs: number): string;
  /** The id given last; lower than every other before the first. */
  last(): string;
}

export function createEventIds(epochMs: number, partition: number): EventIds {
  const prefix = `${epochMs}-${partition}-`;
  let lastMs = 0;
  let seq = 0;
  return {
    next(nowMs) {
      if (nowMs > lastMs) {
        lastMs = nowMs;
        seq = 0;
      } else {
        seq += 1;
      }
      return `${prefix}${lastMs}-${seq}`;
    },
    last: () => `${prefix}${lastMs}-${seq}`,
  };
}

/** Negative when `a` was decided before `b`, which must belong to the same partition. */
export function compareEventIds(a: string, b: string): number {
  // Numbers that are as long as each other are ordered as texts are, and nearly all are.
  const isAligned =
    a.length === b.length &&
    a.indexOf("-") === b.indexOf("-") &&
    a.lastIndexOf("-") === b.lastIndexOf("-");
  if (isAligned) return a < b ? -1 : Number(a > b);
  const left = a.split("-").map(Number);
  const right = b.split("-").map(Number);
  for (const part of [0, 2, 3]) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The partition whose stream gave the id; NaN for a text that is none. */
export function partitionOfEventId(id: string): number {
  return Number(/^\d+-(\d+)-\d+-\d+$/.exec(id)?.[1]);
}
