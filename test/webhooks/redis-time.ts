/** Redis with a clock that stands still until a test moves it, as far as its scripts can see. */
import type { Commands } from "../../src/redis/commands.ts";
import { scriptOf } from "./redis-script.ts";

export interface MovableTime {
  readonly commands: Commands;
  /** Epoch ms. */
  now(): number;
  advance(ms: number): void;
}

const TIME = 'redis.call("TIME")';

export function withMovableTime(inner: Commands): MovableTime {
  let nowMs = Date.now();
  return {
    commands: {
      ...inner,
      runScript(script, keys, args) {
        const time = `{ "${Math.floor(nowMs / 1_000)}", "${(nowMs % 1_000) * 1_000}" }`;
        const lua = script.lua.replaceAll(TIME, time);
        return inner.runScript(scriptOf(script.name, lua, script.numberOfKeys), keys, args);
      },
    },
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}
