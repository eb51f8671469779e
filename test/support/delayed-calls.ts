/**
 * What the delayed drivers share. They put a driver that answers at once behind the delays of one that has to
 * ask elsewhere, so that tests see what happens when a subscribe is overtaken by whatever can overtake it.
 */
import { setTimeout as delay } from "node:timers/promises";

/** Random numbers from 0 to below 1, the same ones for the same seed (xorshift32, the seed spread first). */
export function createSeededRandom(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export interface DelayedCalls {
  /**
   * Runs `apply` after a random while, and after whatever was given earlier for the same key. The answer comes
   * a random while after that, as from a server that has done its part before its reply arrives.
   */
  ask<T>(key: string, apply: () => T | Promise<T>): Promise<T>;
  /** As `ask` for what nobody waits for. What `apply` throws becomes an unhandled rejection: it is a bug. */
  tell(key: string, apply: () => void): void;
  /** As `ask`, but after whatever was given earlier for any key. */
  askAll<T>(apply: () => T | Promise<T>): Promise<T>;
  /** Done once everything that was given so far has been applied. */
  settled(): Promise<void>;
}

/** `maxDelayMs` is how long one call takes at most, apart from calls it has to wait for. */
export function createDelayedCalls(random: () => number, maxDelayMs = 20): DelayedCalls {
  const last = new Map<string, Promise<unknown>>();

  function arrive(): Promise<void> {
    return delay(random() * (maxDelayMs / 2));
  }

  function enqueue<T>(key: string, apply: () => T | Promise<T>): Promise<T> {
    const before = last.get(key);
    const applied = Promise.all([arrive(), before]).then(apply);
    // Whoever comes next waits for the effect, not for its success: that belongs to the caller.
    const over = applied.then(ignore, ignore).then(() => {
      if (last.get(key) === over) last.delete(key);
    });
    last.set(key, over);
    return applied;
  }

  async function settled(): Promise<void> {
    while (last.size > 0) await Promise.all(last.values());
  }

  return {
    async ask(key, apply) {
      const answer = await enqueue(key, apply);
      await arrive();
      return answer;
    },
    tell(key, apply) {
      void enqueue(key, apply);
    },
    async askAll(apply) {
      await Promise.all([arrive(), ...last.values()]);
      const answer = await apply();
      await arrive();
      return answer;
    },
    settled,
  };
}

function ignore(): void {}
