/** Mishaps between a dispatcher and Redis, which a test switches on. */
import { setTimeout as delay } from "node:timers/promises";
import type { Commands } from "../../src/redis/commands.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";

export interface Mishaps {
  readonly wrap: (commands: Commands) => Commands;
  /** It renews nothing any more and goes on as if all that it had were still its own. */
  isZombie: boolean;
  /** How many of the answers are lost after the script was run, 0 to 1. */
  lostAnswers: number;
}

/** Answers of claims come so late at most, when answers are lost too. */
const MAX_LATE_MS = 60;

const CHANGING = ["claim", "release", "take", "route", "settle", "fail", "bury"];

export function createMishaps(random: () => number): Mishaps {
  let listed: unknown;
  const mishaps: Mishaps = {
    isZombie: false,
    lostAnswers: 0,
    wrap: (inner) => ({
      ...inner,
      async runScript(script, keys, args) {
        if (mishaps.isZombie && script.name === "enlist") return listed;
        if (mishaps.isZombie && script.name === "claim") return 1;
        const answer = await inner.runScript(script, keys, args);
        if (script.name === "enlist") listed = answer;
        if (script.name === "claim" && mishaps.lostAnswers > 0) await delay(random() * MAX_LATE_MS);
        if (CHANGING.includes(script.name) && random() < mishaps.lostAnswers) {
          throw new RedisUnavailableError(`${script.name}: the answer was lost on purpose.`);
        }
        return answer;
      },
    }),
  };
  return mishaps;
}
