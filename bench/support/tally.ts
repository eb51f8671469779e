/** Counts what is delivered: each delivery must come, and no more than were sent. */
import { setTimeout as delay } from "node:timers/promises";

export interface Tally {
  /** So many more were delivered. */
  add(count: number): void;
  /** What was sent can no longer arrive: whoever waits is told. */
  fail(why: string): void;
  /**
   * Resolves once `count` more were delivered than when it was called. Rejects when there are too many, also of what was
   * expected before, and when nothing has come for a while though some are missing.
   */
  expect(count: number): Promise<void>;
  /** Rejects when more has come since than was expected last, within a time in which it would have. */
  end(): Promise<void>;
  readonly total: number;
}

const SILENCE_MS = 5_000;
/** What is delivered twice comes with the first one, or right behind it. */
const SURPLUS_MS = 50;

export function createTally(what: string, silenceMs = SILENCE_MS): Tally {
  let total = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let expected = 0;
  let failure: Error | undefined;
  let settle: (() => void) | undefined;

  function noteSurplus(): void {
    const more = total - wanted;
    if (more > 0) failure ??= new Error(`${what}: ${more} deliveries more than ${expected} came.`);
  }

  return {
    get total() {
      return total;
    },
    add(count) {
      total += count;
      if (total >= wanted) settle?.();
    },
    fail(why) {
      failure ??= new Error(`${what}: a client was ${why}.`);
      settle?.();
    },
    expect(count) {
      noteSurplus();
      wanted = total + count;
      expected = count;
      return new Promise((resolve, reject) => {
        let seen = total;
        const timer = setInterval(() => {
          if (total === seen) settle?.();
          seen = total;
        }, silenceMs);
        settle = () => {
          clearInterval(timer);
          settle = undefined;
          noteSurplus();
          const missing = wanted - total;
          if (failure !== undefined) reject(failure);
          else if (missing > 0) {
            reject(new Error(`${what}: ${missing} deliveries of ${count} did not come.`));
          } else resolve();
        };
        if (failure !== undefined || total >= wanted) settle();
      });
    },
    async end() {
      await delay(SURPLUS_MS);
      noteSurplus();
      if (failure !== undefined) throw failure;
    },
  };
}
