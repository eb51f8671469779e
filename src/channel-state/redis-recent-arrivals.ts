/**
 * Who has come here after Redis lost the state: told to receivers only once every node had time to come back
 * (lua/transitions). If Redis loses that as well, they are still news. About the time when they are told it is
 * not known whether they were: then a coming and a leave are rather told twice than never.
 */
import type { TrackedChannel } from "./redis-tracked-channel.ts";

export interface RecentArrivals {
  /** Whoever comes from now on is told `waitMs` after `askedMs`, epoch ms. Forgets those from before. */
  begin(askedMs: number, waitMs: number): void;
  /** `userId` undefined: the channel itself, or the user of a user channel. */
  add(channel: TrackedChannel, userId: string | undefined): void;
  /** It has left; until when its coming is told to nobody, epoch ms; 0 when it was told. */
  remove(channel: TrackedChannel, userId: string | undefined): number;
  /** Those of the channel who may not have been told. */
  of(channel: TrackedChannel): ReadonlySet<string | undefined>;
  /** They have not, for certain. */
  areUntold(): boolean;
}

/** What is due is swept within this, as a rule. */
const TOLD_WITHIN_MS = 1_000;

const NONE: ReadonlySet<string | undefined> = new Set();

/** Keeps only what the node holds, and nothing but shortly after a loss. `now`: epoch ms. */
export function createRecentArrivals(now: () => number): RecentArrivals {
  const arrivals = new Map<TrackedChannel, Set<string | undefined>>();
  let untoldUntilMs = 0;

  function isOver(): boolean {
    if (now() < untoldUntilMs + TOLD_WITHIN_MS) return false;
    arrivals.clear();
    return true;
  }

  return {
    begin(askedMs, waitMs) {
      untoldUntilMs = waitMs > 0 ? askedMs + waitMs : 0;
      arrivals.clear();
    },
    add(channel, userId) {
      if (isOver()) return;
      const own = arrivals.get(channel) ?? new Set();
      arrivals.set(channel, own.add(userId));
    },
    remove(channel, userId) {
      const own = arrivals.get(channel);
      if (isOver() || !own?.delete(userId)) return 0;
      if (own.size === 0) arrivals.delete(channel);
      return untoldUntilMs;
    },
    of: (channel) => (isOver() ? NONE : (arrivals.get(channel) ?? NONE)),
    areUntold: () => now() < untoldUntilMs,
  };
}
