/**
 * Joining and leaving channels. Source: protocol.md §2.2–§2.8.
 *
 * A join has up to three steps: hear the channel's topic, record the member, answer. Each may take a while
 * with drivers that ask elsewhere; a subscription that was left meanwhile is `over`, and the late answer is
 * dropped. Leaving undoes exactly the steps that were taken.
 */
import type { Adapter } from "../adapters/adapter.ts";
import type { CacheEntry, CacheStore } from "../cache/cache-store.ts";
import type { AddMemberResult, ChannelState } from "../channel-state/channel-state.ts";
import type { Connection, SignedInUser, Subscription } from "../connections/connection.ts";
import { type ChannelKind, channelKind, channelNameProblem } from "../protocol/channel-name.ts";
import { CLOSE_CODES } from "../protocol/close-code.ts";
import type { SubscribeCommand } from "../protocol/command.ts";
import {
  cacheMissFrame,
  eventFrame,
  presenceSucceededFrame,
  subscriptionSucceededFrame,
} from "../protocol/frame.ts";
import type { Log } from "../protocol/log.ts";
import { MAX_USER_ID_LENGTH, type PresenceMember, readChannelData } from "../protocol/presence.ts";
import { subscriptionContent } from "../protocol/signature.ts";
import { channelTopic, USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { authProblem } from "./auth.ts";
import type { ChannelsCounters } from "./counters.ts";
import type { LocalChannel, LocalChannels } from "./local-channels.ts";
import type { Refusals } from "./refusals.ts";

export interface SubscribingParts {
  readonly adapter: Adapter;
  readonly state: ChannelState;
  readonly cache: CacheStore;
  readonly locals: LocalChannels;
  readonly refusals: Refusals;
  readonly counters: ChannelsCounters;
  readonly maxChannelsPerConnection: number;
  readonly log: Log;
}

export interface Subscribing {
  subscribe(connection: Connection, command: SubscribeCommand): void;
  unsubscribe(connection: Connection, channel: string): void;
  leaveAll(connection: Connection): void;
}

export function createSubscribing(parts: SubscribingParts): Subscribing {
  const { adapter, state, cache, locals, refusals, counters, log } = parts;

  function subscribe(connection: Connection, command: SubscribeCommand): void {
    const { channel } = command;
    if (channel.startsWith(USER_CHANNEL_PREFIX)) return subscribeToUser(connection, channel);

    const { limits } = connection.app.settings;
    const nameProblem = channelNameProblem(channel, limits.maxChannelNameLength);
    if (nameProblem !== undefined) {
      const type = channel.length > limits.maxChannelNameLength ? "LimitReached" : undefined;
      const failure = { type, error: nameProblem, status: 4009 } as const;
      return refusals.refuseSubscription(connection, channel, "channel_name", null, failure);
    }
    const existing = connection.subscriptions?.get(channel);
    if (existing !== undefined) return subscribeAgain(connection, channel, existing);

    const kind = channelKind(channel);
    if (kind.needsAuth) {
      const content = subscriptionContent(connection.socketId, channel, command.channelData);
      const problem = authProblem(connection.app, command.auth, content);
      if (problem !== undefined) return refuseUnauthorized(connection, channel, problem);
    }
    let member: PresenceMember | undefined;
    if (kind.hasMembers) {
      member = memberOf(connection, command);
      if (member === undefined) return;
    }
    if ((connection.subscriptions?.size ?? 0) >= parts.maxChannelsPerConnection) {
      return refusals.refuseSubscription(connection, channel, "channels_per_connection", null, {
        type: "LimitReached",
        error: `This connection is in ${parts.maxChannelsPerConnection} channels, as many as are allowed.`,
        status: 4100,
      });
    }
    hear(connection, channel, kind, member);
  }

  /** The server's own channel of a signed-in user: messages come anyway, so it only has to be answered (§4.2). */
  function subscribeToUser(connection: Connection, channel: string): void {
    if (isOwnUserChannel(connection, channel)) {
      connection.socket.send(subscriptionSucceededFrame(JSON.stringify(channel)));
    } else {
      refuseUnauthorized(
        connection,
        channel,
        "Only a connection signed in as this user may subscribe to it.",
      );
    }
  }

  function subscribeAgain(connection: Connection, channel: string, existing: Subscription): void {
    const local = locals.get(channelTopic(connection.app.id, channel));
    const { acknowledgeDuplicateSubscribe } = connection.app.settings.features;
    if (acknowledgeDuplicateSubscribe && existing.status === "joined" && local !== undefined) {
      acknowledge(connection, local);
      return;
    }
    const message = `This connection is already subscribed to ${JSON.stringify(channel)}.`;
    refusals.refuse(connection, "duplicate_subscribe", null, message);
  }

  /** The member that this connection will be, or undefined after a refusal (§2.3). */
  function memberOf(connection: Connection, command: SubscribeCommand): PresenceMember | undefined {
    const { channel, channelData } = command;
    const member =
      channelData === undefined ? signedInMember(connection.user) : readChannelData(channelData);
    if (member === undefined) {
      refuseUnauthorized(
        connection,
        channel,
        "A presence channel needs channel_data with a user_id, or a connection that has signed in.",
      );
      return undefined;
    }
    if (typeof member === "string") {
      const failure = { type: "AuthError", error: member, status: 401 } as const;
      refusals.refuseSubscription(connection, channel, "presence_data", null, failure);
      return undefined;
    }
    const size = Buffer.byteLength(member.userInfoJson);
    const { maxPresenceMemberBytes } = connection.app.settings.limits;
    if (size <= maxPresenceMemberBytes) return member;
    refusals.refuseSubscription(connection, channel, "presence_data", null, {
      type: "LimitReached",
      error: `user_info has ${size} bytes, ${maxPresenceMemberBytes} are allowed.`,
      status: 4301,
    });
    return undefined;
  }

  function refuseUnauthorized(connection: Connection, channel: string, error: string): void {
    const failure = { type: "AuthError", error, status: 401 } as const;
    refusals.refuseSubscription(connection, channel, "auth", CLOSE_CODES.unauthorized, failure);
  }

  function hear(
    connection: Connection,
    name: string,
    kind: ChannelKind,
    member: PresenceMember | undefined,
  ): void {
    const subscription: Subscription = { status: "pending", userId: member?.userId };
    connection.subscriptions ??= new Map();
    connection.subscriptions.set(name, subscription);
    const local = locals.hold(connection.app, name, kind);
    const heard = local.isHeard ? undefined : adapter.subscribe(local.topic);
    if (heard === undefined) {
      local.isHeard = true;
      record(connection, local, subscription, member);
      return;
    }
    heard.then(
      () => {
        local.isHeard = true;
        if (subscription.status === "pending") record(connection, local, subscription, member);
      },
      () => fail(connection, local, subscription),
    );
  }

  function record(
    connection: Connection,
    local: LocalChannel,
    subscription: Subscription,
    member: PresenceMember | undefined,
  ): void {
    if (member === undefined) {
      join(connection, local, subscription);
      return;
    }
    subscription.status = "recording";
    local.users.set(member.userId, (local.users.get(member.userId) ?? 0) + 1);
    count(local, 1);
    const { maxPresenceMembersPerChannel } = connection.app.settings.limits;
    const added = state.addMember(local.app.id, local.name, member, maxPresenceMembersPerChannel);
    if (!(added instanceof Promise)) {
      decide(connection, local, subscription, added);
      return;
    }
    added.then(
      (result) => {
        if (subscription.status === "recording") decide(connection, local, subscription, result);
      },
      () => fail(connection, local, subscription),
    );
  }

  function decide(
    connection: Connection,
    local: LocalChannel,
    subscription: Subscription,
    result: AddMemberResult,
  ): void {
    if (result === "added") {
      join(connection, local, subscription);
      return;
    }
    leave(connection, local.name, subscription);
    const { maxPresenceMembersPerChannel } = connection.app.settings.limits;
    refusals.refuseSubscription(connection, local.name, "presence_full", null, {
      type: "LimitReached",
      error: `The channel has ${maxPresenceMembersPerChannel} members, as many as are allowed.`,
      status: 4100,
    });
  }

  /** Order: §2.4. The list of members is taken in the turn in which the socket begins to hear the channel. */
  function join(connection: Connection, local: LocalChannel, subscription: Subscription): void {
    subscription.status = "joined";
    connection.socket.subscribe(local.topic);
    local.receivers += 1;
    if (local.kind.needsAuth) connection.isAuthorized = true;
    log.debug(
      { app_id: local.app.id, socket_id: connection.socketId, channel: local.name },
      "subscribed",
    );
    acknowledge(connection, local);
    if (local.kind.isCached) sendCached(connection, local, subscription);
    if (!local.kind.hasMembers) count(local, 1);
  }

  function acknowledge(connection: Connection, local: LocalChannel): void {
    connection.socket.send(
      local.kind.hasMembers
        ? presenceSucceededFrame(local.nameJson, state.members(local.app.id, local.name))
        : subscriptionSucceededFrame(local.nameJson),
    );
  }

  function sendCached(
    connection: Connection,
    local: LocalChannel,
    subscription: Subscription,
  ): void {
    const { id, settings } = local.app;
    const before = local.eventsDelivered;
    const found = cache.getForSubscriber(id, local.name, settings.cacheTtlMs);
    const send = (entry: CacheEntry | undefined): void => {
      // A newer event that was delivered while the cache was asked makes the answer old news.
      if (subscription.status !== "joined" || local.eventsDelivered !== before) return;
      connection.socket.send(
        entry === undefined
          ? cacheMissFrame(local.nameJson)
          : eventFrame(entry.eventJson, local.nameJson, entry.dataJson),
      );
    };
    if (!(found instanceof Promise)) {
      send(found);
      return;
    }
    found.then(send, () => {
      counters.cacheFailures += 1;
    });
  }

  /** Writes how many subscriptions this node now has, `change` more or less than before. */
  function count(local: LocalChannel, change: 1 | -1): void {
    local.subscribers += change;
    const isAnnounced = local.app.settings.features.subscriptionCount && !local.kind.hasMembers;
    state.setSubscriptions(local.app.id, local.name, local.subscribers, isAnnounced);
  }

  function fail(connection: Connection, local: LocalChannel, subscription: Subscription): void {
    if (subscription.status === "over") return;
    leave(connection, local.name, subscription);
    refusals.refuseSubscription(connection, local.name, "unavailable", null, {
      type: "ServerError",
      error: "The server cannot reach its cluster just now: subscribe again in a few seconds.",
      status: 503,
    });
  }

  function leave(connection: Connection, name: string, subscription: Subscription): void {
    const before = subscription.status;
    if (before === "over") return;
    subscription.status = "over";
    connection.subscriptions?.delete(name);
    const local = locals.get(channelTopic(connection.app.id, name));
    if (local === undefined) return;
    if (before === "joined") {
      connection.socket.unsubscribe(local.topic);
      local.receivers -= 1;
    }
    if (before !== "pending") {
      // The member before the subscription, as their events are to come.
      if (subscription.userId !== undefined) removeUser(local, subscription.userId);
      count(local, -1);
    }
    if (locals.release(local)) adapter.unsubscribe(local.topic);
  }

  function removeUser(local: LocalChannel, userId: string): void {
    const left = (local.users.get(userId) ?? 0) - 1;
    if (left > 0) {
      local.users.set(userId, left);
      return;
    }
    local.users.delete(userId);
    state.removeMember(local.app.id, local.name, userId);
  }

  return {
    subscribe,
    unsubscribe(connection, channel) {
      const subscription = connection.subscriptions?.get(channel);
      if (subscription !== undefined) leave(connection, channel, subscription);
      else if (connection.app.settings.features.strict && !isOwnUserChannel(connection, channel)) {
        const message = `This connection is not subscribed to ${JSON.stringify(channel.slice(0, 200))}.`;
        refusals.refuse(connection, "not_subscribed", null, message);
      }
    },
    leaveAll(connection) {
      for (const [name, subscription] of connection.subscriptions ?? []) {
        leave(connection, name, subscription);
      }
    },
  };
}

/** Whether `channel` is the one by which backends send to the user that the connection is signed in as. */
function isOwnUserChannel({ user }: Connection, channel: string): boolean {
  return user !== undefined && channel === USER_CHANNEL_PREFIX + user.id;
}

/** The member that a signed-in user is, or why it can be none; undefined without a user. */
function signedInMember(user: SignedInUser | undefined): PresenceMember | string | undefined {
  if (user === undefined) return undefined;
  const { id, userInfoJson } = user;
  if (id.length <= MAX_USER_ID_LENGTH) return { userId: id, userInfoJson };
  return `The id of the signed-in user has ${id.length} characters, ${MAX_USER_ID_LENGTH} are allowed here.`;
}
