/**
 * Who has come here after Redis lost the state: told to receivers only once every node had time to come back
 * (lua/transitions). If Redis loses that as well, they are still news.
 */
import type { TrackedChannel } from "./redis-tracked-channel.ts";

export interface RecentArrivals {
  /** From now on, and until `untilMs` (epoch ms), whoever comes is told then. Forgets those from before. */
  begin(untilMs: number): void;
  /** `userId` undefined: the channel itself, or the user of a user channel. */
  add(channel: TrackedChannel, userId: string | undefined): void;
  /** It has left; true when its coming has not been told. */
  remove(channel: TrackedChannel, userId: string | undefined): boolean;
  /** Those of the channel who have not been told. */
  of(channel: TrackedChannel): ReadonlySet<string | undefined>;
}

const NONE: ReadonlySet<string | undefined> = new Set();

/** Keeps only what the node holds, and nothing but shortly after a loss. `now`: epoch ms. */
export function createRecentArrivals(now: () => number): RecentArrivals {
  const arrivals = new Map<TrackedChannel, Set<string | undefined>>();
  let untilMs = 0;

  function isOver(): boolean {
    if (now() < untilMs) return false;
    arrivals.clear();
    return true;
  }

  return {
    begin(nextUntilMs) {
      untilMs = nextUntilMs;
      arrivals.clear();
    },
    add(channel, userId) {
      if (isOver()) return;
      const own = arrivals.get(channel) ?? new Set();
      arrivals.set(channel, own.add(userId));
    },
    remove(channel, userId) {
      const own = arrivals.get(channel);
      if (isOver() || !own?.delete(userId)) return false;
      if (own.size === 0) arrivals.delete(channel);
      return true;
    },
    of: (channel) => (isOver() ? NONE : (arrivals.get(channel) ?? NONE)),
  };
}
