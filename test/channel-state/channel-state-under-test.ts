/** What the rules about channel states share: the state under test, and how events and announcements are expected. */
import assert from "node:assert/strict";
import { type ChannelState, LEAVE_GRACE_MS } from "../../src/channel-state/channel-state.ts";
import { until } from "../support/until.ts";

/** A fresh state, and what a test sees of it. `T | Promise<T>`: a driver may have to look elsewhere. */
export interface ChannelStateUnderTest {
  readonly state: ChannelState;
  /** The events appended for the channel, in order: the JSON of each. */
  appended(appId: string, channel: string): readonly string[] | Promise<readonly string[]>;
  /** Every event so far, of a partition in order. */
  decided(): readonly DecidedEvent[] | Promise<readonly DecidedEvent[]>;
  /** What this node's sockets were told, in order, in the words of {@link announced}. */
  announced(): readonly string[];
  /** Lets everything that was called so far take effect, then `ms` pass, and what is due be settled. */
  advance(ms: number): Promise<void>;
}

export interface DecidedEvent {
  readonly id: string;
  readonly json: string;
}

/** An announcement, as the tests write it down. */
export const announced = {
  memberAdded: (channel: string, userId: string, info = "{}") => `${channel} +${userId} ${info}`,
  memberRemoved: (channel: string, userId: string) => `${channel} -${userId}`,
  subscriptionCount: (channel: string, count: number) => `${channel} has ${count}`,
  userOnline: (userId: string) => `${userId} online`,
  userOffline: (userId: string) => `${userId} offline`,
};

export type Rule = (
  sentence: string,
  run: (opened: ChannelStateUnderTest) => Promise<void>,
) => void;

export const APP = "1";

/** What every state under test is opened with. */
export const PARTITIONS_UNDER_TEST = 4;
export const MAX_SNAPSHOT_ENTRIES_UNDER_TEST = 100;

/** Just inside the grace, with room for a driver whose clock cannot be stopped. */
export const WITHIN_GRACE_MS = LEAVE_GRACE_MS / 3;

/** Fails unless exactly these were appended: a marker recorded last shows that nothing else is on its way. */
export async function expectEvents(
  { state, appended }: ChannelStateUnderTest,
  channel: string,
  expected: readonly string[],
  appId = APP,
  name = "end",
): Promise<void> {
  state.record(appId, channel, { type: "client_event", json: marker(name) });
  const events = await until(`${channel} has the marker ${name}`, async () => {
    const found = await appended(appId, channel);
    return found.includes(marker(name)) && found;
  });
  assert.deepEqual(events, [...expected, marker(name)]);
}

export async function expectAnnounced(
  { announced: told }: ChannelStateUnderTest,
  expected: readonly string[],
): Promise<void> {
  await until(
    `${expected.length} announcements have been made`,
    () => told().length >= expected.length,
  );
  assert.deepEqual(told(), expected);
}

// The events are written out here: the receivers' libraries know these bytes, not our builders.
export function occupied(channel: string): string {
  return `{"name":"channel_occupied","channel":"${channel}"}`;
}

export function vacated(channel: string): string {
  return `{"name":"channel_vacated","channel":"${channel}"}`;
}

export function added(channel: string, userId: string): string {
  return `{"name":"member_added","channel":"${channel}","user_id":"${userId}"}`;
}

export function removed(channel: string, userId: string): string {
  return `{"name":"member_removed","channel":"${channel}","user_id":"${userId}"}`;
}

export function count(channel: string, subscriptions: number): string {
  return `{"name":"subscription_count","channel":"${channel}","subscription_count":${subscriptions}}`;
}

export function marker(name: string): string {
  return JSON.stringify({ marker: name });
}
