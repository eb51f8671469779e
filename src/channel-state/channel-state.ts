/** The tracker of what is in which channel, and what decides each transition. Source: architecture.md §4. */
import type { PresenceList, PresenceMember, PresenceMembers } from "../protocol/presence.ts";
import type { WebhookEvent } from "../protocol/webhook-event.ts";
import type { ChannelSnapshot, NoSnapshot } from "./snapshot.ts";

/** How long a channel or member may be gone before webhooks say so, in ms (protocol.md §7.5). */
export const LEAVE_GRACE_MS = 3_000;

/** Above this many subscriptions the count is announced at most once per {@link COUNT_WINDOW_MS} (protocol.md §5). */
export const COUNT_EVERY_CHANGE_UP_TO = 100;
export const COUNT_WINDOW_MS = 5_000;

/** What is known of one channel, cluster-wide, exact at once (the grace delays webhooks, never these). */
export interface ChannelCounts {
  /** Connections subscribed. The channel is occupied when this is not 0. */
  readonly subscriptions: number;
  /** Distinct users; 0 on channels without members. */
  readonly users: number;
}

/** `full`: the user is new to the channel and it has as many members as are allowed. Nothing was recorded. */
export type AddMemberResult = "added" | "full";

/**
 * Decides, exactly once for the whole cluster, when a channel becomes occupied or vacated, a member comes or
 * goes, a user is online or offline; tells local sockets through {@link Announcements}; and appends each
 * transition to the outbox stream of the channel's partition.
 *
 * Callers say what this node holds in absolute numbers, never deltas, so saying it twice changes nothing.
 * Operations on one channel take effect in the order of the calls, also where a driver answers later. A
 * driver that has nothing to wait for returns the value itself; callers await only promises. `void` methods
 * never fail: what cannot be written now is written later, and failures are counted.
 *
 * A channel or member that leaves and returns, on any node, within {@link LEAVE_GRACE_MS} causes no event for
 * either. When a member and its channel leave together, `member_removed` comes before `channel_vacated`; when
 * they come together, `channel_occupied` before `member_added`: whichever of the two is told first, because
 * webhooks see a channel as occupied while it has a subscription or a member.
 */
export interface ChannelState {
  /** For people: `memory`, `redis`. */
  readonly driver: string;
  /**
   * This node now has `count` subscriptions (0 or more) of the channel. `announceCount`: the channel's total
   * is announced to its subscribers and recorded as a `subscription_count` event when it changed: on every
   * change up to 100 subscriptions, beyond that the latest value once per 5 s while it changes.
   */
  setSubscriptions(appId: string, channel: string, count: number, announceCount: boolean): void;
  /**
   * This node now has the member, with at least one connection. The user's info of the first connection
   * stands until the last has left. Done once {@link members} includes it. `maxMembers` (≥ 1, Infinity: no
   * limit) counts distinct users and never refuses one who is there already.
   * Rejects with StateUnavailableError when the driver cannot tell within 5 s.
   */
  addMember(
    appId: string,
    channel: string,
    member: PresenceMember,
    maxMembers: number,
  ): AddMemberResult | Promise<AddMemberResult>;
  /** This node no longer has any connection of the user in the channel. Repeatable. */
  removeMember(appId: string, channel: string, userId: string): void;
  /**
   * The channel's members as announced to this node's sockets so far: a joiner takes them in the same turn
   * in which it begins to hear the channel, and then misses and doubles nothing. Only for channels in which
   * this node has a member. The map is the state's own: read it in this turn, do not keep it.
   */
  members(appId: string, channel: string): PresenceList;
  /**
   * This node now has `count` connections signed in as the user. `appendEvents`: receivers are told. They get
   * `user_online` when they do not know yet that the user is online, `user_offline` after the grace when they
   * believe it, in the stream of the channel `#server-to-user-<id>`.
   */
  setUserConnections(appId: string, userId: string, count: number, appendEvents: boolean): void;
  /**
   * From now on changes of these users are announced on this node; answers which of them are online, those
   * within the grace among them, for their return is not announced. Counted: each `watch` needs its `unwatch`. Offline is announced after the grace, a return within it not at all.
   */
  watch(
    appId: string,
    userIds: readonly string[],
  ): ReadonlySet<string> | Promise<ReadonlySet<string>>;
  unwatch(appId: string, userIds: readonly string[]): void;
  /** Appends what is no transition (client_event, cache_miss) to the channel's stream, in order with the rest. */
  record(appId: string, channel: string, event: WebhookEvent): void;

  /** Reads: exact, or rejected with StateUnavailableError; never partial. */
  channel(appId: string, channel: string): ChannelCounts | Promise<ChannelCounts>;
  /** Occupied channels whose name begins with `prefix` (empty: all). User channels (`#…`) are not among them. */
  channels(
    appId: string,
    prefix: string,
  ): ReadonlyMap<string, ChannelCounts> | Promise<ReadonlyMap<string, ChannelCounts>>;
  /** The members of a presence channel, empty when there are none. */
  users(appId: string, channel: string): PresenceMembers | Promise<PresenceMembers>;
  /**
   * What webhooks have told so far of the app in one partition, 0 and up: of channels whose name begins with `prefix`
   * (empty: all), and of all users who are online, since no filter of an endpoint is about them. A channel or member
   * in the grace is still there. Of one moment with its revision.
   */
  snapshot(
    appId: string,
    partition: number,
    prefix: string,
  ): ChannelSnapshot | NoSnapshot | Promise<ChannelSnapshot | NoSnapshot>;
  /** Stops timers and lets go. Pending leaves: see the driver (memory appends them first). */
  close(): Promise<void>;
}

/** How a driver tells this node's sockets. Handed in by server.ts; called on every node that has subscribers. */
export interface Announcements {
  memberAdded(appId: string, channel: string, member: PresenceMember): void;
  memberRemoved(appId: string, channel: string, userId: string): void;
  subscriptionCount(appId: string, channel: string, count: number): void;
  userOnline(appId: string, userId: string): void;
  userOffline(appId: string, userId: string): void;
}

/** Appends a decided event to the stream of its channel's partition. Handed in by server.ts. */
export type AppendEvent = (appId: string, channel: string, event: WebhookEvent) => void;

/** The cluster's state cannot be reached. Nothing partial is answered; the caller may try again. */
export class StateUnavailableError extends Error {
  override readonly name = "StateUnavailableError";
  readonly code = "PIPIT_STATE_UNAVAILABLE";
}
