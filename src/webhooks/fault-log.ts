/** Says in the log when the outbox begins to fail, and when nothing of it fails any more. */
import type { Log } from "../protocol/log.ts";
import { errorCode } from "./context.ts";
import { OutboxUnavailableError } from "./outbox.ts";

/** What fails or works: the turns of a partition, by its number, or the look at all of them. */
export type OutboxUse = number | "look";

export interface FaultLog {
  failed(use: OutboxUse, error: unknown): void;
  /** Or nothing is asked of it any more. */
  worked(use: OutboxUse): void;
}

export function createFaultLog(log: Log): FaultLog {
  /** One that works says nothing of the others: a shard may be away alone. */
  const failing = new Set<OutboxUse>();
  return {
    failed(use, error) {
      if (failing.size === 0) {
        log.error({ reason: errorCode(error), detail: detailOf(error) }, "webhook outbox failed");
      }
      failing.add(use);
    },
    worked(use) {
      if (failing.delete(use) && failing.size === 0) log.info({}, "webhook outbox works again");
    },
  };
}

/** What the driver says of it, which quotes nothing. */
function detailOf(error: unknown): string | undefined {
  if (!(error instanceof OutboxUnavailableError && error.cause instanceof Error)) return undefined;
  return error.cause.message;
}
