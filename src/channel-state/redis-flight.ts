/** The steps of one write: how they are gathered, what their acknowledgement means, what is left of lost ones. */
import type { RecentArrivals } from "./redis-recent-arrivals.ts";
import type { RecentLeaves } from "./redis-recent-leaves.ts";
import type { RedisStateCounters } from "./redis-state-context.ts";
import { countSteps, type Step, type TrackedChannel, takeSteps } from "./redis-tracked-channel.ts";
import type { StepReply } from "./redis-write.ts";

export interface FlightStep {
  readonly channel: TrackedChannel;
  readonly step: Step;
}

/** A write until it is acknowledged: it is sent again as it was, under the same number. */
export interface Flight {
  readonly seq: number;
  readonly steps: readonly FlightStep[];
}

/**
 * Takes at most `maxSteps` from `dirty`. Channels of which nothing waits any more fall out of it, and `rests`
 * is called for each.
 */
export function gatherSteps(
  dirty: Set<TrackedChannel>,
  maxSteps: number,
  rests: (channel: TrackedChannel) => void,
): readonly FlightStep[] {
  const steps: FlightStep[] = [];
  for (const channel of dirty) {
    for (const step of takeSteps(channel, maxSteps - steps.length)) {
      steps.push({ channel, step });
      channel.inFlight += 1;
    }
    dirty.delete(channel);
    // The rest waits behind the others: a channel that never rests lets them through.
    if (countSteps(channel) > 0 || channel.isCollapsed) dirty.add(channel);
    else rests(channel);
    if (steps.length >= maxSteps) break;
  }
  return steps;
}

export interface Acknowledgement {
  readonly counters: RedisStateCounters;
  readonly leaves: RecentLeaves;
  readonly arrivals: RecentArrivals;
  /** When a leave that was acknowledged now is due, epoch ms. */
  readonly dueMs: number;
  /** When Redis was last known to have the state, epoch ms. */
  readonly knownMs: number;
  /** When the acknowledgement came, epoch ms. */
  readonly nowMs: number;
}

/** Redis has carried the step out. */
export function acknowledge(
  { channel, step }: FlightStep,
  reply: StepReply,
  { counters, leaves, arrivals, dueMs, knownMs, nowMs }: Acknowledgement,
): void {
  const { appId, name } = channel;
  channel.inFlight -= 1;
  switch (step.kind) {
    case "count": {
      counters.countSteps += 1;
      const isUserTold = channel.isUser && step.isAnnounced;
      const left = { appId, channel: name, userId: undefined };
      if (step.count > 0) {
        const isBack = leaves.remove(left, nowMs);
        const hasCome = channel.ackedCount === 0 && !step.isRestored && !isBack;
        if (hasCome) arrivals.add(channel, undefined);
      } else {
        const untoldUntilMs = arrivals.remove(channel, undefined);
        const hasLeft = channel.ackedCount > 0 || step.isRestored;
        if (hasLeft) leaves.add({ ...left, isUserTold, untoldUntilMs }, dueMs, knownMs);
      }
      channel.ackedCount = step.count;
      channel.isCountRestored = false;
      break;
    }
    case "join": {
      counters.joinSteps += 1;
      const { userId } = step.user;
      channel.restoredUsers?.delete(userId);
      if (reply === "full") break;
      const isBack = leaves.remove({ appId, channel: name, userId }, nowMs);
      channel.ackedUsers ??= new Set();
      if (!channel.ackedUsers.has(userId) && !step.isRestored && !isBack) {
        arrivals.add(channel, userId);
      }
      channel.ackedUsers.add(userId);
      break;
    }
    case "leave": {
      counters.leaveSteps += 1;
      const { userId } = step;
      const wasThere = channel.ackedUsers?.has(userId) || step.isRestored;
      const untoldUntilMs = arrivals.remove(channel, userId);
      if (wasThere) {
        const left = { appId, channel: name, userId };
        leaves.add({ ...left, isUserTold: false, untoldUntilMs }, dueMs, knownMs);
      }
      channel.ackedUsers?.delete(userId);
      channel.restoredUsers?.delete(userId);
      break;
    }
    case "record":
      counters.recordSteps += 1;
      break;
    case "barrier":
      step.pass();
  }
}

/**
 * What has to be sent again of a write whose incarnation is over, by channel. Counts and members are told anew
 * anyway; records are not, unless the write was carried out, and barriers are still waited for.
 */
export function stepsToReturn(
  { steps }: Flight,
  isCarriedOut: boolean,
): ReadonlyMap<TrackedChannel, readonly Step[]> {
  const byChannel = new Map<TrackedChannel, Step[]>();
  for (const { channel, step } of steps) {
    const isReturned = step.kind === "barrier" || (step.kind === "record" && !isCarriedOut);
    if (!isReturned) continue;
    const returned = byChannel.get(channel) ?? [];
    byChannel.set(channel, returned);
    returned.push(step);
  }
  return byChannel;
}
