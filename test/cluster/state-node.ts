/**
 * A node as the channel state sees it: connections that come and go, and tell it absolute numbers. Each
 * connection in a presence channel keeps the list that a real client would keep, and complains when it is told
 * of a member that it has, or of the leave of one that it lacks.
 */
import type { PresenceMember } from "../../src/protocol/presence.ts";
import {
  type OpenedRedisState,
  openRedisState,
  type RedisStateOptions,
} from "../channel-state/redis-state.ts";
import { type Faults, NO_FAULTS, withFaults } from "./state-faults.ts";

export const APP = "1";

/** One connection in one channel. */
export interface Subscription {
  readonly channel: string;
  /** On presence channels. */
  readonly member: PresenceMember | undefined;
  /** What the client believes, from the moment at which it has joined. */
  list: Map<string, string> | undefined;
}

export interface StateNode {
  readonly name: string;
  readonly opened: OpenedRedisState;
  readonly faults: Faults;
  readonly subscriptions: ReadonlySet<Subscription>;
  readonly signedIn: ReadonlyMap<string, number>;
  /** What clients were told that cannot be. */
  readonly complaints: readonly string[];
  subscribe(channel: string, member: PresenceMember | undefined): void;
  unsubscribe(subscription: Subscription): void;
  signIn(userId: string): void;
  signOut(userId: string): void;
  /** Everybody goes. */
  leaveAll(): void;
  /** Gone without a word. */
  crash(): Promise<void>;
}

export interface StateNodeOptions extends RedisStateOptions {
  readonly name: string;
  readonly random: () => number;
  readonly maxMembers: (channel: string) => number;
  readonly isAnnounced: (channel: string) => boolean;
  readonly faults?: Partial<Faults>;
  /** A client has joined with this list. */
  readonly joined?: (channel: string, list: ReadonlyMap<string, string>) => void;
}

export async function openStateNode(options: StateNodeOptions): Promise<StateNode> {
  const { name, random, maxMembers, isAnnounced } = options;
  const faults: Faults = { ...NO_FAULTS, ...options.faults };
  const subscriptions = new Set<Subscription>();
  const counts = new Map<string, number>();
  const users = new Map<string, number>();
  const signedIn = new Map<string, number>();
  const complaints: string[] = [];

  const opened = await openRedisState({
    ...options,
    nodeName: name,
    wrap: (redis) => (options.wrap ?? ((each) => each))(withFaults(redis, faults, random)),
    announce: {
      memberAdded(_app, channel, { userId, userInfoJson }) {
        for (const list of listsOf(channel)) {
          if (list.has(userId)) complaints.push(`${name}: ${userId} came to ${channel} twice`);
          list.set(userId, userInfoJson);
        }
      },
      memberRemoved(_app, channel, userId) {
        for (const list of listsOf(channel)) {
          if (!list.delete(userId)) complaints.push(`${name}: ${userId} left ${channel} twice`);
        }
      },
      subscriptionCount() {},
      userOnline() {},
      userOffline() {},
    },
  });
  const { state } = opened;

  function* listsOf(channel: string): Generator<Map<string, string>> {
    for (const { channel: where, list } of subscriptions) if (where === channel && list) yield list;
  }

  function count(channel: string, change: 1 | -1): void {
    const left = (counts.get(channel) ?? 0) + change;
    if (left === 0) counts.delete(channel);
    else counts.set(channel, left);
    state.setSubscriptions(APP, channel, left, isAnnounced(channel));
  }

  function unsubscribe(subscription: Subscription): void {
    if (!subscriptions.delete(subscription)) return;
    const { channel, member } = subscription;
    if (member) {
      const key = `${channel} ${member.userId}`;
      const left = (users.get(key) ?? 0) - 1;
      if (left === 0) users.delete(key);
      else users.set(key, left);
      if (left === 0) state.removeMember(APP, channel, member.userId);
    }
    count(channel, -1);
  }

  async function join(subscription: Subscription, member: PresenceMember): Promise<void> {
    const { channel } = subscription;
    const key = `${channel} ${member.userId}`;
    users.set(key, (users.get(key) ?? 0) + 1);
    try {
      const result = await state.addMember(APP, channel, member, maxMembers(channel));
      if (!subscriptions.has(subscription)) return;
      if (result === "full") return unsubscribe(subscription);
    } catch {
      return unsubscribe(subscription);
    }
    subscription.list = new Map(state.members(APP, channel));
    if (!subscription.list.has(member.userId)) {
      complaints.push(`${name}: ${member.userId} joined ${channel} and is not in its list`);
    }
    options.joined?.(channel, subscription.list);
  }

  function signOut(userId: string): void {
    const left = (signedIn.get(userId) ?? 0) - 1;
    if (left < 0) return;
    if (left === 0) signedIn.delete(userId);
    else signedIn.set(userId, left);
    state.setUserConnections(APP, userId, left, true);
  }

  function leaveAll(): void {
    for (const subscription of [...subscriptions]) unsubscribe(subscription);
    for (const [userId, times] of signedIn) for (let n = 0; n < times; n++) signOut(userId);
  }

  return {
    name,
    opened,
    faults,
    subscriptions,
    signedIn,
    complaints,
    subscribe(channel, member) {
      const subscription: Subscription = { channel, member, list: undefined };
      subscriptions.add(subscription);
      count(channel, 1);
      if (member) void join(subscription, member);
    },
    unsubscribe,
    signIn(userId) {
      const now = (signedIn.get(userId) ?? 0) + 1;
      signedIn.set(userId, now);
      state.setUserConnections(APP, userId, now, true);
    },
    signOut,
    leaveAll,
    async crash() {
      faults.isCut = true;
      subscriptions.clear();
      signedIn.clear();
      await opened.close();
    },
  };
}

export interface Truth {
  /** Channel to how many are subscribed. */
  readonly subscriptions: ReadonlyMap<string, number>;
  /** Channel to its users. */
  readonly users: ReadonlyMap<string, ReadonlySet<string>>;
  readonly online: ReadonlySet<string>;
}

/** What is so, counted afresh. */
export function truthOf(nodes: readonly StateNode[]): Truth {
  const subscriptions = new Map<string, number>();
  const users = new Map<string, Set<string>>();
  const online = new Set<string>();
  for (const node of nodes) {
    for (const { channel, member } of node.subscriptions) {
      subscriptions.set(channel, (subscriptions.get(channel) ?? 0) + 1);
      if (member) users.set(channel, (users.get(channel) ?? new Set()).add(member.userId));
    }
    for (const userId of node.signedIn.keys()) online.add(userId);
  }
  return { subscriptions, users, online };
}
