/**
 * What this node held in incarnations that are over. Others clean up after those, and with that the leave of
 * whoever did not come back is told. If Redis loses the state before, nobody else knows that an event is owed.
 */
import type { Flight } from "./redis-flight.ts";
import type { TrackedChannel } from "./redis-tracked-channel.ts";

export interface FormerHolding {
  /** It may have been forgotten since, and have a successor. */
  readonly channel: TrackedChannel;
  /** It had a subscription, or its user a connection. */
  isCounted: boolean;
  readonly users: Set<string>;
}

export interface FormerHoldings {
  /**
   * The incarnation is over, and has held what was acknowledged. Others have told the end of it by `untilMs`,
   * epoch ms. To be called before that is forgotten.
   */
  addAcknowledged(channels: Iterable<TrackedChannel>, untilMs: number): void;
  /** The same of a write that was under way: whether it was carried out, and told, nobody knows. */
  addUnderWay(flight: Flight, untilMs: number): void;
  /** Forgets all when its end was told by `knownMs`, when Redis was last known to have the state. */
  expire(knownMs: number): void;
  /** Takes all of which the end was not told at `knownMs`. */
  take(knownMs: number): readonly FormerHolding[];
}

/** Bounded by what the node has held within the last lease and grace. */
export function createFormerHoldings(): FormerHoldings {
  const holdings = new Map<TrackedChannel, FormerHolding>();
  let lastUntilMs = 0;

  function of(channel: TrackedChannel): FormerHolding {
    const found = holdings.get(channel) ?? { channel, isCounted: false, users: new Set() };
    holdings.set(channel, found);
    return found;
  }

  function expire(knownMs: number): void {
    if (lastUntilMs <= knownMs) holdings.clear();
  }

  return {
    addAcknowledged(channels, untilMs) {
      lastUntilMs = untilMs;
      for (const channel of channels) {
        const { ackedCount, ackedUsers } = channel;
        if (ackedCount > 0) of(channel).isCounted = true;
        for (const userId of ackedUsers ?? []) of(channel).users.add(userId);
      }
    },
    addUnderWay({ steps }, untilMs) {
      lastUntilMs = untilMs;
      for (const { channel, step } of steps) {
        if (step.kind === "count" && step.count > 0) of(channel).isCounted = true;
        if (step.kind === "join") of(channel).users.add(step.user.userId);
      }
    },
    expire,
    take(knownMs) {
      expire(knownMs);
      const taken = [...holdings.values()];
      holdings.clear();
      return taken;
    },
  };
}

/** Who is held no longer is to be told as gone: that he was there may have been told. */
export function restoreGone(channel: TrackedChannel, holding: FormerHolding): void {
  if (holding.isCounted && channel.wantedCount === 0) {
    channel.isCountRestored = true;
    if (channel.isUser) channel.isAnnounced = holding.channel.isAnnounced;
  }
  const gone = [...holding.users].filter((userId) => !channel.wantedUsers?.has(userId));
  if (gone.length > 0) channel.restoredUsers = new Set([...(channel.restoredUsers ?? []), ...gone]);
}
