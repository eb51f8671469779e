/** The memory driver with a clock that stands still, and a dispatcher that sweeps exactly when it is told to. */
import {
  createMemoryChannelState,
  type MemoryChannelState,
} from "../../src/channel-state/memory-channel-state.ts";
import { partitionOf } from "../../src/protocol/partition.ts";
import { createEventIds } from "../../src/webhooks/event-id.ts";
import {
  announced,
  MAX_SNAPSHOT_ENTRIES_UNDER_TEST,
  PARTITIONS_UNDER_TEST,
} from "./channel-state-under-test.ts";

export interface AppendedEvent {
  readonly id: string;
  readonly atMs: number;
  readonly appId: string;
  readonly channel: string;
  readonly type: string;
  readonly json: string;
}

export interface OpenedMemoryState {
  readonly state: MemoryChannelState;
  readonly log: readonly AppendedEvent[];
  readonly announcements: readonly { readonly atMs: number; readonly text: string }[];
  readonly woken: readonly number[];
  /** How long the log was each time that a close paused. */
  readonly pausedAt: readonly number[];
  now(): number;
  /** Lets time pass, sweeping at each moment that `wake` and `sweep` named, and never otherwise. */
  advance(ms: number): void;
  /** Lets time pass unnoticed. */
  sleep(ms: number): void;
}

export const PARTITIONS = PARTITIONS_UNDER_TEST;

export function openMemoryState(): OpenedMemoryState {
  let nowMs = 1_000_000;
  const log: AppendedEvent[] = [];
  const announcements: { atMs: number; text: string }[] = [];
  const woken: number[] = [];
  const pausedAt: number[] = [];
  /** When to sweep each partition: as a dispatcher knows it, which is from `wake` and `sweep` alone. */
  const alarms = new Map<number, number>();
  const toSweep = new Set<number>();
  const ids = Array.from({ length: PARTITIONS }, (_, p) => createEventIds(1_000_000, p));
  const idsOf = (partition: number) => ids[partition] ?? createEventIds(0, partition);
  const tell = (text: string) => announcements.push({ atMs: nowMs, text });

  const state = createMemoryChannelState({
    partitions: PARTITIONS,
    now: () => nowMs,
    append(appId, channel, { type, json }) {
      const id = idsOf(partitionOf(appId, channel, PARTITIONS)).next(nowMs);
      log.push({ id, atMs: nowMs, appId, channel, type, json });
    },
    lastEventId: (partition) => idsOf(partition).last(),
    maxSnapshotEntries: MAX_SNAPSHOT_ENTRIES_UNDER_TEST,
    announce: {
      memberAdded: (_app, channel, { userId, userInfoJson }) =>
        tell(announced.memberAdded(channel, userId, userInfoJson)),
      memberRemoved: (_app, channel, userId) => tell(announced.memberRemoved(channel, userId)),
      subscriptionCount: (_app, channel, count) =>
        tell(announced.subscriptionCount(channel, count)),
      userOnline: (_app, userId) => tell(announced.userOnline(userId)),
      userOffline: (_app, userId) => tell(announced.userOffline(userId)),
    },
    async pause() {
      pausedAt.push(log.length);
    },
    wake(partition) {
      woken.push(partition);
      toSweep.add(partition);
    },
  });

  function sweep(partition: number): void {
    const nextMs = state.sweep(partition);
    if (nextMs === undefined) alarms.delete(partition);
    else alarms.set(partition, nextMs);
  }

  return {
    state,
    log,
    announcements,
    woken,
    pausedAt,
    now: () => nowMs,
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        for (const partition of toSweep) sweep(partition);
        toSweep.clear();
        const next = [...alarms].sort(([, a], [, b]) => a - b)[0];
        if (!next || next[1] > endMs) break;
        nowMs = next[1];
        toSweep.add(next[0]);
      }
      nowMs = endMs;
    },
    sleep(ms) {
      nowMs += ms;
    },
  };
}
