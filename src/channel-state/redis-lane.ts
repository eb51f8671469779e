/**
 * What this node writes to one partition, one write after the other. Source: architecture.md §4.
 *
 * A write is made of the waiting steps of many channels and stands still until it is acknowledged: it is sent
 * again as it was, under the same number. So Redis can tell a repetition, and steps take effect in order.
 * When the node's lease is gone, or Redis has lost something, the node takes a new incarnation and tells
 * everything that it holds anew.
 */
import { acknowledge, type Flight, gatherSteps, stepsToReturn } from "./redis-flight.ts";
import { createFormerHoldings, restoreGone } from "./redis-former-holdings.ts";
import { heartbeat, register } from "./redis-lease.ts";
import { createRecentArrivals } from "./redis-recent-arrivals.ts";
import type { RecentLeaves } from "./redis-recent-leaves.ts";
import { retryAfterMs, type StateContext } from "./redis-state-context.ts";
import {
  collapse,
  countSteps,
  forgetAcknowledged,
  isSettled,
  isSpent,
  MAX_ORDERED_STEPS,
  returnSteps,
  type StateLoss,
  type Step,
  type TrackedChannel,
} from "./redis-tracked-channel.ts";
import { runWrite, type StepReply } from "./redis-write.ts";

/** Why a node takes a new incarnation. */
type Reason = "lease ended" | "writes lost" | "state lost";

export interface LaneHooks {
  /** The step has been acknowledged. */
  settled(channel: TrackedChannel, step: Step, reply: StepReply): void;
  /** Nothing is left of the channel. */
  spent(channel: TrackedChannel): void;
  /** The channel of that name, made and added to the lane if need be. */
  obtain(appId: string, name: string): TrackedChannel;
  registered(): void;
  /** See redis-peers.ts. */
  returnMs(): Promise<number>;
  /** The node has a new incarnation, and all its channels are to be told anew. */
  reincarnated(partition: number): void;
  /** The lane begins to fail, or has a write acknowledged after that. */
  failing(partition: number, error: unknown): void;
  recovered(partition: number): void;
  /** The lane has nothing more to do. */
  idle(): void;
}

export interface Lane {
  readonly partition: number;
  /** All channels of the partition that are known here. */
  readonly channels: Set<TrackedChannel>;
  readonly leaves: RecentLeaves;
  /** Present incarnation. */
  node(): string;
  isRegistered(): boolean;
  /** Steps are sent as they come: nothing has failed since the last write. */
  isHealthy(): boolean;
  isIdle(): boolean;
  /** Whether this node is registered in that epoch of the data. If not it finds out, and takes part in it. */
  confirmEpoch(epoch: number): boolean;
  /** When the lease was last known to hold, by `now`; undefined: never. */
  renewedMs(): number | undefined;
  /** Begins to write: registers first. */
  open(): void;
  /** The channel has something to be sent. */
  changed(channel: TrackedChannel): void;
  /** Goes on at once, if it was waiting: Redis is back. */
  kick(): void;
  /** Renews the lease; answers the incarnations whose lease has run out. Rejects with RedisUnavailableError. */
  beat(): Promise<readonly string[]>;
  close(): void;
}

/** One that fails alone is a hiccup, through which the order of the steps is kept. */
const FAILURES_UNTIL_COLLAPSE = 2;

export function createLane(
  context: StateContext,
  partition: number,
  leaves: RecentLeaves,
  hooks: LaneHooks,
): Lane {
  const { redis, settings, counters, now } = context;
  const channels = new Set<TrackedChannel>();
  const dirty = new Set<TrackedChannel>();
  const arrivals = createRecentArrivals(now);
  const former = createFormerHoldings();
  let generation = 0;
  /** The incarnation that was registered last, this one or one before. */
  let registered: string | undefined;
  let isRegistered = false;
  let epoch: number | undefined;
  let ackedSeq = 0;
  let flight: Flight | undefined;
  /** Of the incarnation before, when it ended: whether it was carried out shows at the next registration. */
  let orphan: Flight | undefined;
  let hasLostWrites = false;
  let failures = 0;
  let isOpen = false;
  let isRunning = false;
  let restoreUntilMs = 0;
  let renewedMs: number | undefined;
  /** When Redis was last known to have the state: an answer speaks of the time at which it was asked for. */
  let knownMs = 0;
  let endPause: (() => void) | undefined;
  let beats = 0;

  const node = (): string => `${context.nodeName}.${generation}`;

  function start(): void {
    if (isRunning || !isOpen) return;
    isRunning = true;
    // In a microtask, so that what is called in this turn goes together.
    queueMicrotask(() => {
      run().catch((error: unknown) => {
        isRunning = false;
        hooks.failing(partition, error);
      });
    });
  }

  async function run(): Promise<void> {
    for (;;) {
      if (!isOpen) {
        isRunning = false;
        return;
      }
      try {
        if (!isRegistered) {
          await takeIncarnation();
          continue;
        }
        flight ??= nextFlight();
        if (flight === undefined) {
          // In the turn of the look: a change between the two would find the lane busy and be left lying.
          isRunning = false;
          hooks.idle();
          return;
        }
        await send(flight);
      } catch (error) {
        failures += 1;
        counters.writeFailures += 1;
        hooks.failing(partition, error);
        if (failures === FAILURES_UNTIL_COLLAPSE) for (const channel of dirty) collapseNow(channel);
        await pause();
      }
    }
  }

  function pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, retryAfterMs(context, failures));
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function takeIncarnation(): Promise<void> {
    const candidate = node();
    const returnMs = epoch === undefined ? await hooks.returnMs() : 0;
    const remembered = { nodeBefore: registered, epoch, hasLostWrites, returnMs };
    const askedMs = now();
    const answer = await register(redis, settings, partition, candidate, remembered);
    if (answer === "condemned") {
      generation += 1;
      return;
    }
    const isFirst = registered === undefined;
    const isLost = epoch !== undefined && epoch !== answer.epoch;
    registered = candidate;
    isRegistered = true;
    epoch = answer.epoch;
    ackedSeq = 0;
    renewedMs = now();
    if (failures > 0) recover();
    hooks.registered();
    if (isFirst) {
      arrivals.begin(askedMs, answer.arrivalsWaitMs);
      for (const channel of channels) dirty.add(channel);
      return;
    }
    counters.reincarnations += 1;
    if (isLost) counters.stateLosses += 1;
    // Leaves that waited for their time may have been lost with the rest: they are told again.
    if (isLost || hasLostWrites) {
      restoreUntilMs = now() + settings.restoreMs;
      restoreLeaves();
    }
    const loss = isLost ? "all" : hasLostWrites ? "last writes" : "none";
    hasLostWrites = false;
    replay(loss, answer.seqBefore);
    knownMs = askedMs;
    // Of what else is told anew nobody knows who was an arrival: rather all of it has been told.
    arrivals.begin(askedMs, isLost ? answer.arrivalsWaitMs : 0);
  }

  function restoreLeaves(): void {
    for (const { appId, channel: name, userId, isUserTold } of leaves.take(knownMs, now())) {
      const channel = hooks.obtain(appId, name);
      if (isUserTold) channel.isAnnounced = true;
      if (userId === undefined) channel.isCountRestored = true;
      else channel.restoredUsers = new Set(channel.restoredUsers).add(userId);
    }
  }

  function replay(loss: StateLoss, seqBefore: number | undefined): void {
    const toldMs = Math.max(now() + settings.leaseMs + settings.leaveGraceMs, restoreUntilMs);
    if (loss === "none") former.addAcknowledged(channels, toldMs);
    if (orphan && !arrivals.areUntold()) former.addUnderWay(orphan, toldMs);
    if (loss !== "none") restoreFormer();
    for (const channel of channels) {
      forgetAcknowledged(channel, loss, arrivals.of(channel), arrivals.areUntold());
      dirty.add(channel);
    }
    if (orphan) returnOrphan(orphan, (seqBefore ?? -1) >= orphan.seq);
    orphan = undefined;
    hooks.reincarnated(partition);
  }

  function restoreFormer(): void {
    for (const holding of former.take(knownMs)) {
      const { appId, name } = holding.channel;
      restoreGone(hooks.obtain(appId, name), holding);
    }
  }

  function returnOrphan(flightBefore: Flight, isCarriedOut: boolean): void {
    for (const [{ appId, name }, steps] of stepsToReturn(flightBefore, isCarriedOut)) {
      // The channel may have been forgotten meanwhile, and have a successor.
      const channel = hooks.obtain(appId, name);
      returnSteps(channel, steps);
      dirty.add(channel);
    }
  }

  function nextFlight(): Flight | undefined {
    const steps = gatherSteps(dirty, settings.maxSteps, dropIfSpent);
    return steps.length === 0 ? undefined : { seq: ackedSeq + 1, steps };
  }

  async function send(sent: Flight): Promise<void> {
    const { seq, steps } = sent;
    const sentMs = now();
    const written = await runWrite(redis, settings, { partition, node: node(), seq, steps });
    // A heartbeat has ended the incarnation meanwhile: the answer is about one that is over.
    if (flight !== sent) return;
    switch (written.outcome) {
      case "ok":
        settle(sent, written.replies, sentMs);
        return;
      case "unregistered":
        return endIncarnation("lease ended");
      case "lost":
      case "stale":
        return endIncarnation("writes lost");
      case "alive":
        throw new TypeError("A write that reaps nobody was answered as if it did.");
    }
  }

  function settle({ seq, steps }: Flight, replies: readonly StepReply[], sentMs: number): void {
    flight = undefined;
    ackedSeq = seq;
    const nowMs = now();
    knownMs = Math.max(knownMs, sentMs);
    counters.writes += 1;
    if (failures > 0) recover();
    const dueMs = Math.max(nowMs + settings.leaveGraceMs, restoreUntilMs);
    for (const [i, each] of steps.entries()) {
      acknowledge(each, replies[i], { counters, leaves, arrivals, dueMs, knownMs, nowMs });
      hooks.settled(each.channel, each.step, replies[i]);
    }
    for (const { channel } of steps) dropIfSpent(channel);
  }

  /** Who comes and goes while Redis is away leaves nothing behind. */
  function collapseNow(channel: TrackedChannel): void {
    if (!channel.isCollapsed) {
      counters.collapses += 1;
      collapse(channel);
    }
    dropIfSpent(channel);
  }

  function dropIfSpent(channel: TrackedChannel): void {
    if (!isSpent(channel) || !channels.delete(channel)) return;
    dirty.delete(channel);
    hooks.spent(channel);
  }

  function endIncarnation(reason: Reason): void {
    if (reason === "writes lost") {
      counters.writeLosses += 1;
      hasLostWrites = true;
    }
    if (reason !== "lease ended") redis.rejoin();
    isRegistered = false;
    generation += 1;
    orphan = flight ?? orphan;
    flight = undefined;
    for (const channel of channels) channel.inFlight = 0;
    context.log.warn({ partition, reason }, "channel state is told anew");
  }

  function recover(): void {
    failures = 0;
    hooks.recovered(partition);
  }

  return {
    partition,
    channels,
    leaves,
    node,
    isRegistered: () => isRegistered,
    isHealthy: () => isRegistered && failures === 0,
    isIdle: () => !isRunning && dirty.size === 0 && flight === undefined,
    confirmEpoch(read) {
      if (isRegistered && read === epoch) return true;
      if (isRegistered) endIncarnation("state lost");
      start();
      return false;
    },
    renewedMs: () => renewedMs,
    open() {
      isOpen = true;
      start();
    },
    changed(channel) {
      const isTooMuch = countSteps(channel) > MAX_ORDERED_STEPS;
      if (failures >= FAILURES_UNTIL_COLLAPSE || isTooMuch) collapseNow(channel);
      if (isSettled(channel) || !channels.has(channel)) return;
      dirty.add(channel);
      start();
    },
    kick() {
      endPause?.();
      start();
    },
    async beat() {
      if (!isRegistered) {
        start();
        return [];
      }
      const sentNode = node();
      const sentSeq = ackedSeq;
      const sentMs = now();
      beats += 1;
      const answer = await heartbeat(redis, settings, partition, sentNode, beats);
      // Answers about an incarnation that is over say nothing about this one.
      if (!isOpen || !isRegistered || sentNode !== node()) return [];
      counters.heartbeats += 1;
      if (answer === "unregistered") endIncarnation("lease ended");
      else if (answer.epoch !== epoch) endIncarnation("state lost");
      else if (answer.highestSeq < sentSeq) endIncarnation("writes lost");
      else {
        renewedMs = now();
        knownMs = Math.max(knownMs, sentMs);
        former.expire(knownMs);
        return answer.ended.filter((ended) => ended !== sentNode);
      }
      start();
      return [];
    },
    close() {
      isOpen = false;
      endPause?.();
    },
  };
}
