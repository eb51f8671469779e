/** What receivers of webhooks have been told so far, a partition at a time, for those who have lost it. */

/**
 * The most channels, members, users and leaves of one page. It is read in one step, which nothing else can interrupt:
 * where there are more, the caller has to ask for a part of the channels. Users who are online count whatever the part.
 */
export const MAX_SNAPSHOT_ENTRIES = 100_000;

/** The channels of one app in one partition as webhooks have told of them at one moment. */
export interface ChannelSnapshot {
  /**
   * Id of the last event that was decided in the partition, of any app. What webhooks with this id or a lower
   * one tell of the partition's channels is contained, what those with a higher one tell is not.
   */
  readonly revision: string;
  /**
   * Channels that are occupied or in the grace, with the users that are in them or in the grace. Empty sets
   * where a channel has no members.
   */
  readonly channels: ReadonlyMap<string, ReadonlySet<string>>;
  /** Users of whom webhooks have told that they are online, by the partition of `#server-to-user-<id>`. Never fewer by a prefix. */
  readonly users: ReadonlySet<string>;
  /** There is no partition with a higher number. */
  readonly isLast: boolean;
}

/** Why there is no snapshot: the partition has more than may be read at once, or there is no such partition. */
export type NoSnapshot = "too many" | "no partition";
