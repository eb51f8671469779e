/**
 * One channel as this node has to tell it: what it wants Redis to know, what Redis has acknowledged, and the
 * steps in between that are still to be sent.
 *
 * While all is well the steps are sent as they were called, in order. When Redis is away, or they become too
 * many, they collapse: what is sent later is the difference between wanted and acknowledged, so that what
 * waits is bounded by what this node holds.
 */
import type { PresenceMember } from "../protocol/presence.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import type { WebhookEvent } from "../protocol/webhook-event.ts";
import type { AddMemberResult } from "./channel-state.ts";

/** A user whom this node has in a channel, from addMember to removeMember. Coming again makes another one. */
export interface LocalUser extends PresenceMember {
  readonly maxMembers: number;
  /** Of the roster, when this user was acknowledged to be in it. */
  version: number | undefined;
  readonly waiters: Set<JoinWaiter>;
}

export interface JoinWaiter {
  resolve(result: AddMemberResult): void;
  reject(): void;
}

/** `isRestored`: Redis knew of it before it lost the state, so no event tells of it again. */
export type Step =
  | {
      readonly kind: "count";
      readonly count: number;
      readonly isAnnounced: boolean;
      readonly isRestored: boolean;
    }
  | { readonly kind: "join"; readonly user: LocalUser; readonly isRestored: boolean }
  | { readonly kind: "leave"; readonly userId: string; readonly isRestored: boolean }
  | RecordStep
  | BarrierStep;

export interface RecordStep {
  readonly kind: "record";
  readonly event: WebhookEvent;
}

/** Is passed when everything before it has been acknowledged. */
export interface BarrierStep {
  readonly kind: "barrier";
  pass(): void;
}

export interface TrackedChannel {
  readonly appId: string;
  /** The pseudo channel of a user has connections in place of subscriptions, 1 for any number. */
  readonly name: string;
  readonly isUser: boolean;
  readonly partition: number;
  wantedCount: number;
  /** The count is told to subscribers; of a user: coming and going is told to receivers of webhooks. */
  isAnnounced: boolean;
  wantedUsers: Map<string, LocalUser> | undefined;
  ackedCount: number;
  ackedUsers: Set<string> | undefined;
  /** Redis knew of these when it lost the state. */
  isCountRestored: boolean;
  restoredUsers: Set<string> | undefined;
  /** What waits to be sent; undefined: nothing, as in most channels most of the time. */
  steps: Set<Step> | undefined;
  lastStep: Step | undefined;
  isCollapsed: boolean;
  /** Steps of the write that is under way. */
  inFlight: number;
}

/** Steps of one channel that may wait in order. */
export const MAX_ORDERED_STEPS = 256;

const NOBODY: ReadonlyMap<string, LocalUser> = new Map();
const NONE: ReadonlySet<string> = new Set();

export function createTrackedChannel(
  appId: string,
  name: string,
  partition: number,
): TrackedChannel {
  return {
    appId,
    name,
    isUser: name.startsWith(USER_CHANNEL_PREFIX),
    partition,
    wantedCount: 0,
    isAnnounced: false,
    wantedUsers: undefined,
    ackedCount: 0,
    ackedUsers: undefined,
    isCountRestored: false,
    restoredUsers: undefined,
    steps: undefined,
    lastStep: undefined,
    isCollapsed: false,
    inFlight: 0,
  };
}

/** Adds what was called just now, after `wanted…` has been set. Coalesces counts that nobody could tell apart. */
export function addStep(channel: TrackedChannel, step: Step): void {
  if (channel.isCollapsed && step.kind !== "record" && step.kind !== "barrier") return;
  channel.steps ??= new Set();
  const { steps, lastStep } = channel;
  if (step.kind === "count" && lastStep?.kind === "count" && steps.has(lastStep)) {
    const isUntold = !step.isAnnounced && !lastStep.isAnnounced;
    if (isUntold && step.count > 0 && lastStep.count > 0) steps.delete(lastStep);
  }
  steps.add(step);
  channel.lastStep = step;
}

/** Forgets the waiting steps; their effect is contained in the difference. Records and barriers stay. */
export function collapse(channel: TrackedChannel): void {
  channel.isCollapsed = true;
  for (const step of channel.steps ?? []) {
    if (step.kind === "record" || step.kind === "barrier") continue;
    dropStep(channel, step);
    if (step.kind === "join" && channel.wantedUsers?.get(step.user.userId) !== step.user) {
      rejectWaiters(step.user);
    }
  }
}

/** Takes the step out of those that wait; false when it was not among them. */
export function dropStep(channel: TrackedChannel, step: Step): boolean {
  const wasThere = channel.steps?.delete(step) ?? false;
  if (channel.steps?.size === 0) {
    channel.steps = undefined;
    channel.lastStep = undefined;
  }
  return wasThere;
}

/** How many steps wait to be sent, the difference of a collapsed channel not among them. */
export function countSteps({ steps }: TrackedChannel): number {
  return steps?.size ?? 0;
}

/** Takes the next steps to be sent, at most `limit`. None when there is nothing to do. */
export function takeSteps(channel: TrackedChannel, limit: number): readonly Step[] {
  const taken: Step[] = [];
  if (channel.isCollapsed) {
    for (const step of difference(channel)) {
      if (taken.length === limit) return taken;
      taken.push(step);
    }
    channel.isCollapsed = false;
  }
  for (const step of channel.steps ?? []) {
    if (taken.length === limit) break;
    dropStep(channel, step);
    taken.push(step);
  }
  return taken;
}

/** From acknowledged to wanted; the channel before its members when it comes, after them when it goes. */
function* difference(channel: TrackedChannel): Generator<Step> {
  const { wantedCount, isAnnounced, ackedCount, isCountRestored } = channel;
  const { wantedUsers = NOBODY, ackedUsers = NONE, restoredUsers = NONE } = channel;
  const hasCountChanged = wantedCount !== ackedCount || isCountRestored;
  const count: Step = {
    kind: "count",
    count: wantedCount,
    isAnnounced,
    isRestored: isCountRestored,
  };
  if (hasCountChanged && wantedCount > 0) yield count;
  for (const userId of new Set([...ackedUsers, ...restoredUsers])) {
    if (wantedUsers.has(userId)) continue;
    yield { kind: "leave", userId, isRestored: restoredUsers.has(userId) };
  }
  for (const user of wantedUsers.values()) {
    // Acknowledged and without a version: that was somebody before, who left; this one still waits.
    if (ackedUsers.has(user.userId) && user.version !== undefined) continue;
    yield { kind: "join", user, isRestored: restoredUsers.has(user.userId) };
  }
  if (hasCountChanged && wantedCount === 0) yield count;
}

/** What Redis has lost of what it had acknowledged: nothing (this node was reaped), the last writes, or all. */
export type StateLoss = "none" | "last writes" | "all";

/**
 * Nothing that Redis has acknowledged stands any longer. When all is lost, what comes back is no news, but for
 * `untold` (see redis-recent-arrivals.ts), of whom receivers may know; `areUntold`: they do not. Of the last
 * writes, whose events may be lost as well, only what has been left since is known to receivers in that way: its
 * leave would else never be told.
 */
export function forgetAcknowledged(
  channel: TrackedChannel,
  loss: StateLoss,
  untold: ReadonlySet<string | undefined>,
  areUntold: boolean,
): void {
  if (loss !== "none") {
    const isAll = loss === "all";
    const isKnown = (userId: string | undefined, isWanted: boolean): boolean =>
      isAll ? !untold.has(userId) || !(isWanted || areUntold) : !isWanted;
    const isCountKnown = isKnown(undefined, channel.wantedCount > 0);
    if (channel.ackedCount > 0 && isCountKnown) channel.isCountRestored = true;
    const known = [...(channel.ackedUsers ?? [])].filter((userId) =>
      isKnown(userId, channel.wantedUsers?.has(userId) === true),
    );
    if (known.length > 0) {
      channel.restoredUsers = new Set([...(channel.restoredUsers ?? []), ...known]);
    }
  }
  channel.ackedCount = 0;
  channel.ackedUsers = undefined;
  channel.inFlight = 0;
  collapse(channel);
}

/** Steps that were taken and not carried out come first again. */
export function returnSteps(channel: TrackedChannel, steps: readonly Step[]): void {
  channel.steps = new Set([...steps, ...(channel.steps ?? [])]);
}

/** Nothing is held, wanted or to be done: the channel can be forgotten. */
export function isSpent(channel: TrackedChannel): boolean {
  return (
    channel.inFlight === 0 &&
    channel.wantedCount === 0 &&
    (channel.wantedUsers?.size ?? 0) === 0 &&
    channel.ackedCount === 0 &&
    (channel.ackedUsers?.size ?? 0) === 0 &&
    !channel.isCountRestored &&
    (channel.restoredUsers?.size ?? 0) === 0 &&
    countSteps(channel) === 0
  );
}

/** Everything that was called has been acknowledged. */
export function isSettled(channel: TrackedChannel): boolean {
  return channel.inFlight === 0 && countSteps(channel) === 0 && !channel.isCollapsed;
}

export function rejectWaiters(user: LocalUser): void {
  for (const waiter of user.waiters) waiter.reject();
  user.waiters.clear();
}

export function resolveWaiters(user: LocalUser, result: AddMemberResult): void {
  for (const waiter of user.waiters) waiter.resolve(result);
  user.waiters.clear();
}
