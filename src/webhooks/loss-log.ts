/**
 * Says in the log what became dead letters and what was lost: at once when it begins, then once a minute in
 * sums, so that an endpoint which is down under load fills the counters and not the disk.
 */
import type { Log } from "../protocol/log.ts";
import type { DeathReason } from "./outbox.ts";
import type { Now } from "./timer.ts";

/** What was given up since the last line about the same. */
interface Sum {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
  loggedMs: number;
  events: number;
}

export interface LossLog {
  /** `endpointId` undefined: of an app's holding lane. `age`: dead letters that were too old. */
  note(
    appId: string,
    endpointId: string | undefined,
    reason: DeathReason | "age",
    buried: number,
    dropped: number,
  ): void;
  /** Writes what has waited for a minute, or everything. Called with every look, and at the end. */
  flush(everything: boolean): void;
}

const LOG_EVERY_MS = 60_000;

export function createLossLog(log: Log, now: Now): LossLog {
  /** Bounded: an entry lives for a minute after the last loss of its endpoint. */
  const sums = new Map<string, Sum>();

  function write(sum: Sum): void {
    log.error({ ...sum.fields, events: sum.events }, sum.message);
    sum.events = 0;
    sum.loggedMs = now();
  }

  function add(message: string, fields: Readonly<Record<string, unknown>>, events: number): void {
    if (events === 0) return;
    const name = [message, ...Object.values(fields)].join(":");
    const known = sums.get(name);
    const sum = known ?? { fields, message, loggedMs: 0, events: 0 };
    sum.events += events;
    if (known) return;
    sums.set(name, sum);
    write(sum);
  }

  return {
    note(appId, endpointId, reason, buried, dropped) {
      const fields = { app_id: appId, endpoint: endpointId, reason };
      add("webhook events became dead letters", fields, buried);
      add("webhook events dropped", fields, dropped);
    },
    flush(everything) {
      for (const [name, sum] of sums) {
        if (!everything && now() - sum.loggedMs < LOG_EVERY_MS) continue;
        if (sum.events === 0) sums.delete(name);
        else write(sum);
      }
    },
  };
}
