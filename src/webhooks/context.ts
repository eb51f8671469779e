/** What the parts of the dispatcher share. All of it is handed in. */
import type { Apps } from "../apps/app.ts";
import type { Log } from "../protocol/log.ts";
import type { LossLog } from "./loss-log.ts";
import type { OutboxEvent } from "./outbox.ts";
import type { WebhookSettings } from "./settings.ts";
import type { Target } from "./target.ts";
import type { After, Now } from "./timer.ts";
import type { WholeOutbox } from "./whole-outbox.ts";

/** Called for each event that an endpoint took: ms from its decision to the 2xx. */
export type OnDelivered = (
  latencyMs: number,
  appId: string,
  endpointId: string,
  event: OutboxEvent,
) => void;

export interface DispatchContext {
  readonly apps: Apps;
  readonly outbox: WholeOutbox;
  readonly target: Target;
  readonly settings: WebhookSettings;
  readonly now: Now;
  readonly after: After;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly losses: LossLog;
  /** Pipit's, for the User-Agent. */
  readonly version: string;
  readonly onDelivered: OnDelivered;
}

/** How often everything is looked at again: leases, partitions whose wake-up was lost, endpoints that could not be sent to. */
export const LOOK_EVERY_MS = 2_000;

/** Tells what failed without its text, which could quote what it failed on. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : error.name;
}
