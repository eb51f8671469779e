/**
 * Joining and leaving channels. Source: protocol.md §2.2–§2.8.
 *
 * A join has up to three steps: hear the channel's topic, record the member, answer. Each may take a while
 * with drivers that ask elsewhere; a subscription that was left meanwhile is `over`, and the late answer is
 * dropped. Leaving undoes exactly the steps that were taken.
 */
import type { Adapter } from "../adapters/adapter.ts";
import type { CacheStore } from "../cache/cache-store.ts";
import type { AddMemberResult, ChannelState } from "../channel-state/channel-state.ts";
import type { Connection } from "../connections/connection.ts";
import type { LocalChannel } from "../connections/local-channel.ts";
import type { Subscription } from "../connections/subscription.ts";
import { Subscriptions } from "../connections/subscriptions.ts";
import type { SubscribeCommand } from "../protocol/command.ts";
import { presenceSucceededFrame, subscriptionSucceededFrame } from "../protocol/frame.ts";
import type { Log } from "../protocol/log.ts";
import type { PresenceMember } from "../protocol/presence.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { createSendCached } from "./cached-event.ts";
import { createContributions } from "./contributions.ts";
import type { ChannelsCounters } from "./counters.ts";
import { type Admission, checkJoin, unauthorized } from "./join-checks.ts";
import { inTime } from "./join-deadline.ts";
import type { LocalChannels } from "./local-channels.ts";
import type { Refusals } from "./refusals.ts";

export interface SubscribingParts {
  readonly adapter: Adapter;
  readonly state: ChannelState;
  readonly cache: CacheStore;
  readonly locals: LocalChannels;
  readonly refusals: Refusals;
  readonly counters: ChannelsCounters;
  readonly maxChannelsPerConnection: number;
  /** In ms. */
  readonly now: () => number;
  readonly log: Log;
}

/**
 * A refusal that took the adapter this long is one of a cluster that is away: it is asked again. One that came
 * sooner, since too many wait, would come again at once.
 */
const PATIENT_FROM_MS = 1_000;

export interface Subscribing {
  subscribe(connection: Connection, command: SubscribeCommand): void;
  unsubscribe(connection: Connection, channel: string): void;
  leaveAll(connection: Connection): void;
}

export function createSubscribing(parts: SubscribingParts): Subscribing {
  const { adapter, state, cache, locals, refusals, counters, now, log } = parts;
  const contributions = createContributions(state);
  const sendCached = createSendCached(cache, counters);

  function subscribe(connection: Connection, command: SubscribeCommand): void {
    const { channel } = command;
    if (channel.startsWith(USER_CHANNEL_PREFIX)) return subscribeToUser(connection, channel);

    const existing = connection.subscriptions?.get(channel);
    if (existing !== undefined) return subscribeAgain(connection, existing);

    const admission = checkJoin(connection, command, parts.maxChannelsPerConnection);
    if (!("kind" in admission)) {
      const { reason, code, failure } = admission;
      return refusals.refuseSubscription(connection, channel, reason, code, failure);
    }
    hear(connection, channel, admission);
  }

  /** The server's own channel of a signed-in user: messages come anyway, so it only has to be answered (§4.2). */
  function subscribeToUser(connection: Connection, channel: string): void {
    if (isOwnUserChannel(connection, channel)) {
      connection.socket.send(subscriptionSucceededFrame(JSON.stringify(channel)));
    } else {
      const message = "Only a connection signed in as this user may subscribe to it.";
      const { reason, code, failure } = unauthorized(message);
      refusals.refuseSubscription(connection, channel, reason, code, failure);
    }
  }

  function subscribeAgain(connection: Connection, existing: Subscription): void {
    const { acknowledgeDuplicateSubscribe } = connection.app.settings.features;
    if (acknowledgeDuplicateSubscribe && existing.status === "joined") {
      acknowledge(connection, existing.channel);
      return;
    }
    const message = `This connection is already subscribed to ${existing.channel.nameJson}.`;
    refusals.refuse(connection, "duplicate_subscribe", null, message);
  }

  function hear(connection: Connection, name: string, { kind, member }: Admission): void {
    const channel = locals.hold(connection.app, name, kind);
    const subscription: Subscription = { status: "pending", channel, userId: member?.userId };
    connection.subscriptions ??= new Subscriptions();
    connection.subscriptions.add(subscription);
    ask(connection, subscription, member);
  }

  function ask(
    connection: Connection,
    subscription: Subscription,
    member: PresenceMember | undefined,
  ): void {
    const askedMs = now();
    // Each time: a topic that was heard may not be just now.
    const heard = adapter.subscribe(subscription.channel.topic);
    if (heard === undefined) {
      record(connection, subscription, member, askedMs);
      return;
    }
    heard.then(
      () => {
        if (subscription.status !== "pending") return;
        record(connection, subscription, member, askedMs);
      },
      () => {
        if (subscription.status !== "pending") return;
        // Told of a failure, a client does not ask again on its connection, and it has no timeout of its own.
        // So it waits as long as the cluster is away, unless it waits for a list of members (architecture.md §4).
        const isPatient = member === undefined && now() - askedMs >= PATIENT_FROM_MS;
        if (isPatient) ask(connection, subscription, member);
        else fail(connection, subscription);
      },
    );
  }

  function record(
    connection: Connection,
    subscription: Subscription,
    member: PresenceMember | undefined,
    askedMs: number,
  ): void {
    if (member === undefined) {
      join(connection, subscription);
      return;
    }
    subscription.status = "recording";
    const { maxPresenceMembersPerChannel } = connection.app.settings.limits;
    const added = contributions.addMember(
      subscription.channel,
      member,
      maxPresenceMembersPerChannel,
    );
    if (!(added instanceof Promise)) {
      decide(connection, subscription, added);
      return;
    }
    inTime(added, now() - askedMs).then(
      (result) => {
        if (subscription.status === "recording") decide(connection, subscription, result);
      },
      () => fail(connection, subscription),
    );
  }

  function decide(
    connection: Connection,
    subscription: Subscription,
    result: AddMemberResult,
  ): void {
    if (result === "added") {
      join(connection, subscription);
      return;
    }
    leave(connection, subscription);
    const { maxPresenceMembersPerChannel } = connection.app.settings.limits;
    refusals.refuseSubscription(connection, subscription.channel.name, "presence_full", null, {
      type: "LimitReached",
      error: `The channel has ${maxPresenceMembersPerChannel} members, as many as are allowed.`,
      status: 4100,
    });
  }

  /** Order: §2.4. The list of members is taken in the turn in which the socket begins to hear the channel. */
  function join(connection: Connection, subscription: Subscription): void {
    const local = subscription.channel;
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
    if (!local.kind.hasMembers) contributions.count(local, 1);
  }

  function acknowledge(connection: Connection, local: LocalChannel): void {
    connection.socket.send(
      local.kind.hasMembers
        ? presenceSucceededFrame(local.nameJson, state.members(local.app.id, local.name))
        : subscriptionSucceededFrame(local.nameJson),
    );
  }

  function fail(connection: Connection, subscription: Subscription): void {
    if (subscription.status === "over") return;
    leave(connection, subscription);
    refusals.refuseSubscription(connection, subscription.channel.name, "unavailable", null, {
      type: "ServerError",
      error: "The server cannot reach its cluster just now: subscribe again in a few seconds.",
      status: 503,
    });
  }

  function leave(connection: Connection, subscription: Subscription): void {
    const { status: before, channel: local } = subscription;
    if (before === "over") return;
    subscription.status = "over";
    connection.subscriptions?.delete(local.name);
    if (before === "joined") {
      connection.socket.unsubscribe(local.topic);
      local.receivers -= 1;
    }
    if (before !== "pending") {
      // The member before the subscription, as their events are to come.
      const { userId } = subscription;
      if (userId !== undefined) contributions.removeMember(local, userId);
      contributions.count(local, -1);
    }
    if (locals.release(local)) adapter.unsubscribe(local.topic);
  }

  return {
    subscribe,
    unsubscribe(connection, channel) {
      const subscription = connection.subscriptions?.get(channel);
      if (subscription !== undefined) leave(connection, subscription);
      else if (connection.app.settings.features.strict && !isOwnUserChannel(connection, channel)) {
        const message = `This connection is not subscribed to ${JSON.stringify(channel.slice(0, 200))}.`;
        refusals.refuse(connection, "not_subscribed", null, message);
      }
    },
    leaveAll(connection) {
      if (connection.subscriptions === undefined) return;
      for (const subscription of connection.subscriptions.all()) leave(connection, subscription);
    },
  };
}

/** Whether `channel` is the one by which backends send to the user that the connection is signed in as. */
function isOwnUserChannel({ user }: Connection, channel: string): boolean {
  return user !== undefined && channel === USER_CHANNEL_PREFIX + user.id;
}
