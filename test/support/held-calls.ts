/** Calls to the delayed drivers that wait until the test lets them through, for exact interleavings. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { DelayedCalls } from "./delayed-calls.ts";

export interface HeldCalls extends DelayedCalls {
  /** The keys of the calls that wait, oldest first. */
  readonly waiting: readonly string[];
  /** Lets the oldest call whose key begins so take effect. Its answer waits until {@link answer}. */
  apply(key: string): Promise<void>;
  /** Lets the oldest answer of such a call arrive, or the last, which overtakes the others. */
  answer(key: string, which?: "oldest" | "last"): Promise<void>;
  /** Both. */
  release(key: string): Promise<void>;
  /** The oldest such call has no effect, and its answer is this error. */
  reject(key: string, error: Error): Promise<void>;
  /** Everything that waits, and whatever that leads to, in the order of the calls. */
  releaseAll(): Promise<void>;
}

interface Held {
  readonly key: string;
  apply(): Promise<void>;
  reject(error: Error): void;
}

interface Answer {
  readonly key: string;
  send(): void;
}

export function createHeldCalls(): HeldCalls {
  const calls: Held[] = [];
  const answers: Answer[] = [];

  function hold<T>(key: string, apply: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      calls.push({
        key,
        reject,
        async apply() {
          try {
            const result = await apply();
            answers.push({ key, send: () => resolve(result) });
          } catch (error) {
            answers.push({ key, send: () => reject(error) });
          }
        },
      });
    });
  }

  function takeFrom<T extends { readonly key: string }>(
    list: T[],
    key: string,
    which: "oldest" | "last" = "oldest",
  ): T {
    const isMeant = (held: T): boolean => held.key.startsWith(key);
    const at = which === "oldest" ? list.findIndex(isMeant) : list.findLastIndex(isMeant);
    const [held] = at === -1 ? [] : list.splice(at, 1);
    if (held !== undefined) return held;
    const keys = list.map((other) => other.key);
    throw new Error(`Nothing waits for ${key}, only ${JSON.stringify(keys)}.`);
  }

  async function apply(key: string): Promise<void> {
    await takeFrom(calls, key).apply();
    await nextTurn();
  }

  async function answer(key: string, which?: "oldest" | "last"): Promise<void> {
    takeFrom(answers, key, which).send();
    await nextTurn();
  }

  async function releaseAll(): Promise<void> {
    while (calls.length > 0 || answers.length > 0) {
      if (calls.length > 0) await apply("");
      if (answers.length > 0) await answer("");
    }
  }

  return {
    ask: hold,
    tell: (key, run) => void hold(key, run),
    askAll: (run) => hold("all", run),
    settled: releaseAll,
    get waiting() {
      return calls.map(({ key }) => key);
    },
    apply,
    answer,
    async release(key) {
      await apply(key);
      await answer(key);
    },
    async reject(key, error) {
      takeFrom(calls, key).reject(error);
      await nextTurn();
    },
    releaseAll,
  };
}
