/** Waiting in tests: for conditions, never for time. */
import { setTimeout as delay } from "node:timers/promises";

/** Resolves with the first value that is neither false nor undefined; fails naming what it waited for. */
export async function until<T>(
  what: string,
  look: () => T | false | undefined | Promise<T | false | undefined>,
  withinMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await look();
    if (value !== false && value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain until ${what}.`);
    await delay(5);
  }
}
