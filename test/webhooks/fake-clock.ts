/** Time that stands still until a test moves it. */
import { setImmediate as turn } from "node:timers/promises";
import type { After } from "../../src/webhooks/timer.ts";

export interface FakeClock {
  now(): number;
  readonly after: After;
  /** Runs what becomes due, in order, each with all that follows from it without waiting. */
  advance(ms: number): Promise<void>;
}

export function createFakeClock(startMs = 1_800_000_000_000): FakeClock {
  let nowMs = startMs;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((each) => each !== timer);
      };
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      await turn();
      for (;;) {
        const due = timers.filter(({ atMs }) => atMs <= untilMs);
        const next = due.toSorted((a, b) => a.atMs - b.atMs)[0];
        if (!next) break;
        timers = timers.filter((each) => each !== next);
        nowMs = Math.max(nowMs, next.atMs);
        next.run();
        await turn();
      }
      nowMs = untilMs;
      await turn();
    },
  };
}
