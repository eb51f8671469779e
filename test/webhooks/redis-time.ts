/** Redis with a clock that a test moves: its scripts see the time of the server and what the test has added. */
import type { Commands } from "../../src/redis/commands.ts";
import { scriptOf } from "./redis-script.ts";

export interface MovableTime {
  readonly commands: Commands;
  /** Epoch ms, as scripts see it. */
  now(): Promise<number>;
  advance(ms: number): void;
}

const TIME = 'redis.call("TIME")';

export function withMovableTime(inner: Commands): MovableTime {
  let addedMs = 0;
  return {
    commands: {
      ...inner,
      runScript(script, keys, args) {
        if (addedMs === 0 || !script.lua.includes(TIME)) return inner.runScript(script, keys, args);
        const later = `(function() local t = ${TIME} return { t[1] + ${addedMs / 1_000}, t[2] } end)()`;
        const lua = script.lua.replaceAll(TIME, later);
        return inner.runScript(scriptOf(script.name, lua, script.numberOfKeys), keys, args);
      },
    },
    async now() {
      const [seconds, us] = (await inner.runScript(
        scriptOf("now", `return ${TIME}`, 0),
        [],
        [],
      )) as [string, string];
      return Number(seconds) * 1_000 + Math.floor(Number(us) / 1_000) + addedMs;
    },
    advance(ms) {
      addedMs += ms;
    },
  };
}
