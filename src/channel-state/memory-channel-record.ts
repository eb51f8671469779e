/** What the memory driver keeps of a channel and of a user, and what can be pending for them. */
import type { Due, Schedule } from "./memory-schedule.ts";

/**
 * One channel. The record exists exactly while webhooks believe the channel occupied: making it is the
 * transition to occupied, dropping it the one to vacated. What most channels never have is undefined.
 */
export interface ChannelRecord {
  readonly appId: string;
  readonly name: string;
  readonly partition: number;
  subscriptions: number;
  /** Those present, user id to list entry. */
  members: Map<string, string> | undefined;
  /** Those who are gone, but not yet for webhooks. */
  leavingMembers: Map<string, Due<Pending>> | undefined;
  /** Set while there is neither a subscription nor a member. */
  leave: Due<Pending> | undefined;
  /** What subscribers and webhooks were last told. */
  announcedCount: number;
  countWindow: Due<Pending> | undefined;
}

/** One user who is signed in, or watched, or both. */
export interface UserRecord {
  readonly appId: string;
  readonly userId: string;
  readonly partition: number;
  connections: number;
  watches: number;
  /** Receivers of webhooks were told that the user is online, and not that this has ended. */
  isTold: boolean;
  /** Set while the user has no connection and watchers believe that there is one. */
  leave: Due<Pending> | undefined;
}

/** What becomes of its subject when it is due. */
export type Pending =
  | { readonly kind: "member leave"; readonly channel: ChannelRecord; readonly userId: string }
  | { readonly kind: "channel leave"; readonly channel: ChannelRecord }
  | { readonly kind: "count window"; readonly channel: ChannelRecord }
  | { readonly kind: "user leave"; readonly user: UserRecord };

export type PendingSchedule = Schedule<Pending>;
