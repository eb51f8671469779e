/** A graceful stop: what comes first, and how much of the grace each may take. */
import type { ChannelState } from "./channel-state/channel-state.ts";
import type { Channels } from "./channels/channels.ts";
import type { Drivers } from "./drivers.ts";
import { within } from "./webhooks/timer.ts";
import type { Webhooks } from "./webhooks/webhooks.ts";

export interface StoppingParts {
  readonly channels: Pick<Channels, "drain">;
  readonly drivers: Pick<Drivers, "leave">;
  readonly state: Pick<ChannelState, "close">;
  readonly webhooks: Pick<Webhooks, "close">;
  readonly graceMs: number;
  readonly now: () => number;
}

/** The part of the grace that is for the clients; the rest is for what their leaving has to tell receivers. */
const DRAIN_SHARE = 0.6;

/** The least time to write what this node no longer holds, in ms. */
const MIN_LEAVE_MS = 500;

/** Clients are sent away, the state and the webhooks written. Done in `graceMs`, but for those least times. */
export async function takeLeave(parts: StoppingParts): Promise<void> {
  const { channels, drivers, state, webhooks, graceMs, now } = parts;
  const deadlineMs = now() + graceMs;
  const drainMs = graceMs * DRAIN_SHARE;
  // What a Redis that hangs does not answer ends when its connections are closed.
  const left = within(Math.max(MIN_LEAVE_MS, drainMs), drivers.leave());
  await Promise.all([channels.drain(drainMs), left]);
  await within(Math.max(MIN_LEAVE_MS, deadlineMs - now()), state.close());
  await webhooks.close(Math.max(0, deadlineMs - now()));
}
