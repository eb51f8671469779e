/**
 * Turns due leaves into events and moves events from each partition's stream into the lanes of the endpoints
 * that want them. One turn at a time per partition. Source: architecture.md §5, Sweep and Route.
 */
import { type DispatchContext, LOOK_EVERY_MS } from "./context.ts";
import type { Delivery } from "./delivery.ts";
import { createDrain } from "./draining.ts";
import { createFaultLog } from "./fault-log.ts";
import { createLaneCheck } from "./lane-check.ts";
import type { LaneKey } from "./outbox.ts";
import { createRouteChoice } from "./route-choice.ts";
import { createRouteResults } from "./route-results.ts";

/**
 * For each partition that had a turn the next ones wait so long, at most two batching windows: what comes in a rush
 * gathers, so that a turn moves several events. Batches are full then and wait for no window, so that an event
 * waits one window either way; and what comes alone is routed at once.
 */
const REST_PER_TURN_MS = 2;

/** A wake-up does not say whether a leave was put off; none is due sooner than this. */
const SWEEP_EVERY_MS = 500;

export interface Router {
  /** Takes note that the partition has work; the work is done in a later turn. */
  wake(partition: number): void;
  /** Claims the partitions and begins to look at them. */
  start(): Promise<void>;
  /** An operator has changed the lane. */
  touched(lane: LaneKey): void;
  /** The partition turned out to belong to another node. */
  lost(partition: number): void;
  /** Gives every partition a last turn; resolves when all have had it. */
  finish(): Promise<void>;
  /** Gives every partition to the other nodes; resolves when nothing of them is under way here. */
  handOver(): Promise<void>;
  /** Starts nothing more, waits for turns under way and gives the partitions back. */
  stop(): Promise<void>;
  readonly counters: {
    /** Events dropped from holding lanes of unknown apps: lost. */
    readonly heldDropped: number;
  };
}

interface Partition {
  readonly number: number;
  isMine: boolean;
  /** This node should own it. */
  isWanted: boolean;
  /** It was newly claimed, and what lies in its lanes is not known yet. */
  isUnread: boolean;
  /** It is being given back: nothing new is begun with it. */
  leaving: Promise<void> | undefined;
  needsTurn: boolean;
  turn: Promise<void> | undefined;
  /** When leaves are looked for again, epoch ms; undefined: no time is set. */
  sweepAtMs: number | undefined;
  sweptMs: number;
  cancelSweep: (() => void) | undefined;
}

/** `look` is called with every look at all partitions. */
export function createRouter(
  context: DispatchContext,
  delivery: Delivery,
  look: () => Promise<void>,
): Router {
  const { outbox, now, after, log, losses } = context;
  const results = createRouteResults(context, delivery);
  const drainSource = createDrain(context, delivery, createRouteChoice(context), results);
  const laneCheck = createLaneCheck(context, delivery);
  const faults = createFaultLog(log);
  const partitions = Array.from({ length: outbox.partitions }, (_, number): Partition => {
    return {
      number,
      isMine: false,
      isWanted: false,
      isUnread: false,
      leaving: undefined,
      needsTurn: false,
      turn: undefined,
      sweepAtMs: 0,
      sweptMs: 0,
      cancelSweep: undefined,
    };
  });
  let isRunning = false;
  let refreshing: Promise<void> | undefined;
  let cancelLook: (() => void) | undefined;
  let looking: Promise<void> | undefined;
  let cancelTurns: (() => void) | undefined;
  let restUntilMs = 0;

  function wake(number: number): void {
    const partition = partitions[number];
    if (!partition || !isRunning) return;
    partition.needsTurn = true;
    // A tick later at least: what one tick appends is routed together, and nobody is called back while appending.
    cancelTurns ??= after(Math.max(0, restUntilMs - now()), takeTurns);
  }

  function takeTurns(): void {
    cancelTurns = undefined;
    const woken = partitions.filter(({ needsTurn }) => needsTurn);
    const { enabled, windowMs } = context.settings.batching;
    restUntilMs = now() + (enabled ? Math.min(2 * windowMs, woken.length * REST_PER_TURN_MS) : 0);
    for (const each of woken) takeTurnOrClaim(each);
  }

  /** Who had the partition wakes the next when it is free. */
  function takeTurnOrClaim(partition: Partition): void {
    if (partition.isMine || !partition.isWanted) return takeTurn(partition);
    partition.needsTurn = false;
    claim(partition).catch((error: unknown) => faults.failed("look", error));
  }

  function takeTurn(partition: Partition): void {
    if (partition.turn || !mayTurn(partition)) return;
    partition.turn = turns(partition)
      .then(() => faults.worked(partition.number))
      .catch((error: unknown) => {
        // What was not moved is still there; the next look tries again.
        partition.needsTurn = false;
        faults.failed(partition.number, error);
      })
      .finally(() => {
        partition.turn = undefined;
        if (partition.needsTurn) takeTurn(partition);
      });
  }

  function mayTurn({ isMine, leaving }: Partition): boolean {
    return isMine && !leaving && isRunning;
  }

  async function turns(partition: Partition): Promise<void> {
    while (partition.needsTurn && mayTurn(partition)) {
      partition.needsTurn = false;
      await sweepIfDue(partition);
      for (const appId of await outbox.heldApps(partition.number)) {
        await drain(partition, appId, []);
      }
      await drain(partition, undefined, await outbox.heldApps(partition.number));
    }
  }

  /** Leaves are looked for when one is due, and otherwise now and then. */
  async function sweepIfDue(partition: Partition): Promise<void> {
    const { sweepAtMs, sweptMs } = partition;
    const nextMs = Math.min(sweepAtMs ?? Number.POSITIVE_INFINITY, sweptMs + SWEEP_EVERY_MS);
    if (now() < nextMs) {
      if (sweepAtMs !== nextMs) setSweep(partition, nextMs);
      return;
    }
    partition.sweptMs = now();
    setSweep(partition, await outbox.sweep(partition.number));
  }

  function setSweep(partition: Partition, atMs: number | undefined): void {
    partition.cancelSweep?.();
    partition.sweepAtMs = atMs;
    partition.cancelSweep =
      atMs === undefined || !isRunning
        ? undefined
        : after(Math.max(0, atMs - now()), () => wake(partition.number));
  }

  /** Others have its turns: when it is this node's again, nothing is known of its leaves. */
  function endTurns(partition: Partition): void {
    partition.cancelSweep?.();
    partition.sweepAtMs = 0;
    faults.worked(partition.number);
  }

  async function drain(
    partition: Partition,
    heldApp: string | undefined,
    mustHold: readonly string[],
  ): Promise<void> {
    const isLeaving = () => partition.leaving !== undefined;
    const end = await drainSource(partition.number, heldApp, new Set(mustHold), isLeaving);
    if (end === "lost") lost(partition.number);
  }

  function lost(number: number): void {
    const partition = partitions[number];
    if (!partition?.isMine) return;
    partition.isMine = false;
    endTurns(partition);
    delivery.forgetPartition(number);
    log.info({ partition: number }, "webhook partition lost");
  }

  async function claim(partition: Partition): Promise<void> {
    const { number } = partition;
    const result = await outbox.claim(number);
    if (result === "lost") return lost(number);
    if (result === "new") {
      delivery.forgetPartition(number);
      partition.isUnread = true;
    }
    if (partition.isUnread && !partition.leaving) await readLanes(partition);
    partition.isMine = true;
    partition.needsTurn = true;
    takeTurn(partition);
  }

  async function readLanes(partition: Partition): Promise<void> {
    const lanes = await outbox.lanes(partition.number);
    // Its owner before may have paused an endpoint since the last look.
    refreshing ??= delivery.refreshPauses().finally(() => {
      refreshing = undefined;
    });
    await refreshing;
    partition.isUnread = false;
    for (const lane of lanes) delivery.routed(lane, 0, 0);
  }

  /** Lets others have the partition, once nothing of it is under way here. */
  function leave(partition: Partition): Promise<void> {
    partition.leaving ??= giveBack(partition)
      .catch((error: unknown) => faults.failed("look", error))
      .finally(() => {
        partition.leaving = undefined;
      });
    return partition.leaving;
  }

  async function giveBack(partition: Partition): Promise<void> {
    endTurns(partition);
    await partition.turn;
    await delivery.leavePartition(partition.number);
    partition.isMine = false;
    // What was booked is this node's alone to tell from now on.
    losses.flush(true);
    await outbox.release(partition.number);
    log.debug({ partition: partition.number }, "webhook partition given back");
  }

  async function leaveAll(): Promise<void> {
    for (const partition of partitions) partition.isWanted = false;
    try {
      await outbox.resign();
    } catch (error) {
      faults.failed("look", error);
    }
    await Promise.all(partitions.filter(({ isMine }) => isMine).map(leave));
  }

  /** Where a step fails, or a partition is away, the others are done all the same; the next look tries again. */
  async function lookAtAll(): Promise<void> {
    const steps = [
      enlist,
      claimAll,
      () => laneCheck.next(partitions.filter(mayTurn).map(({ number }) => number)),
      outbox.expireDeadLetters,
      () => losses.flush(false),
      delivery.refreshPauses,
      look,
    ];
    const failures: unknown[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) faults.failed("look", failures[0]);
    else faults.worked("look");
  }

  async function enlist(): Promise<void> {
    const wanted = new Set(await outbox.enlist());
    for (const partition of partitions) partition.isWanted = wanted.has(partition.number);
  }

  async function claimAll(): Promise<void> {
    // One that is being left is kept until nothing of it is under way.
    const kept = partitions.filter((each) => each.isWanted || each.isMine);
    const claims = await Promise.allSettled(kept.map(claim));
    for (const each of partitions) if (each.isMine && !each.isWanted) void leave(each);
    for (const result of claims) if (result.status === "rejected") throw result.reason;
  }

  function lookLater(): void {
    if (!isRunning) return;
    cancelLook = after(LOOK_EVERY_MS, () => {
      looking = lookAtAll().then(lookLater);
    });
  }

  return {
    counters: results.counters,
    wake,
    async start() {
      isRunning = true;
      await outbox.listen(wake, results.book);
      await lookAtAll();
      lookLater();
    },
    touched(lane) {
      const partition = partitions[lane.partition];
      if (partition && mayTurn(partition)) delivery.touched(lane);
    },
    lost,
    async finish() {
      for (const partition of partitions) {
        partition.needsTurn = true;
        partition.sweptMs = 0;
        takeTurn(partition);
      }
      while (partitions.some(({ turn }) => turn !== undefined)) {
        await Promise.all(partitions.map(({ turn }) => turn));
      }
    },
    async handOver() {
      cancelLook?.();
      await looking;
      cancelLook?.();
      await leaveAll();
    },
    async stop() {
      isRunning = false;
      cancelLook?.();
      cancelTurns?.();
      for (const partition of partitions) partition.cancelSweep?.();
      await looking;
      await Promise.all(partitions.map((partition) => partition.turn));
      losses.flush(true);
      await leaveAll();
    },
  };
}
