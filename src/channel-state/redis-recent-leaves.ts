/**
 * Leaves of this node that wait out their grace in Redis. If Redis loses them meanwhile, nobody else knows
 * that an event is owed: the node that left has to say so again.
 */

export interface RecentLeave {
  readonly appId: string;
  readonly channel: string;
  /** Undefined: the channel itself, or the user of a user channel. */
  readonly userId: string | undefined;
  /** The leave of a user channel of which receivers of webhooks are told. */
  readonly isUserTold: boolean;
  /** Until then its coming was told to nobody, epoch ms; 0: it was told (see redis-recent-arrivals.ts). */
  readonly untoldUntilMs: number;
}

type Left = Pick<RecentLeave, "appId" | "channel" | "userId">;

export interface RecentLeaves {
  /** `dueMs`: when its grace is over, epoch ms; what was due at `knownMs` has been told. */
  add(leave: RecentLeave, dueMs: number, knownMs: number): void;
  /** It came back by `nowMs`; true when its leave was not due then, and its first coming was told. */
  remove(leave: Left, nowMs: number): boolean;
  /**
   * Takes all that were not due at `knownMs`, when Redis was last known to have the state, and whose coming had
   * been told by `nowMs`.
   */
  take(knownMs: number, nowMs: number): readonly RecentLeave[];
  readonly size: number;
}

/** Keeps at most `max`: older ones fall out, and `forgotten` is called for each. */
export function createRecentLeaves(max: number, forgotten: () => void): RecentLeaves {
  const leaves = new Map<string, { readonly leave: RecentLeave; readonly dueMs: number }>();

  return {
    add(leave, dueMs, knownMs) {
      const key = keyOf(leave);
      leaves.delete(key);
      leaves.set(key, { leave, dueMs });
      // They stand about in the order of their due times: looking at the front is enough.
      for (const [oldKey, old] of leaves) {
        const isTold = old.dueMs <= knownMs;
        if (!isTold && leaves.size <= max) break;
        leaves.delete(oldKey);
        if (!isTold) forgotten();
      }
    },
    remove(leave, nowMs) {
      const key = keyOf(leave);
      const found = leaves.get(key);
      leaves.delete(key);
      return found !== undefined && found.dueMs > nowMs && found.leave.untoldUntilMs === 0;
    },
    take(knownMs, nowMs) {
      const taken = [...leaves.values()].filter(
        ({ leave, dueMs }) => dueMs > knownMs && leave.untoldUntilMs <= nowMs,
      );
      leaves.clear();
      return taken.map(({ leave }) => leave);
    },
    get size() {
      return leaves.size;
    },
  };
}

function keyOf({ appId, channel, userId }: Left): string {
  return userId === undefined ? `${appId}\0${channel}` : `${appId}\0${channel}\0${userId}`;
}
