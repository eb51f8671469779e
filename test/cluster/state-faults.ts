/** Calls to Redis as a bad network carries them: twice, late, without their answer, or not at all. */
import type { StateRedis } from "../../src/channel-state/redis-state-context.ts";
import { RedisUnavailableError } from "../../src/redis/redis-unavailable.ts";

/** Probabilities from 0 to 1. */
export interface Faults {
  /** The script runs twice, and the second answer arrives. */
  twice: number;
  /** It runs, and no answer arrives. */
  lostAnswer: number;
  /** It runs once more some time later, when nobody thinks of it any longer. */
  lateCopy: number;
  /** Heartbeats do not arrive: the node is taken for dead and goes on writing. */
  isSilent: boolean;
  /** Nothing arrives any longer: the node has crashed. */
  isCut: boolean;
}

export const NO_FAULTS: Faults = {
  twice: 0,
  lostAnswer: 0,
  lateCopy: 0,
  isSilent: false,
  isCut: false,
};

const LONGEST_DELAY_MS = 60;

export function withFaults(redis: StateRedis, faults: Faults, random: () => number): StateRedis {
  const { commands } = redis;
  const refuse = () => Promise.reject(new RedisUnavailableError("The test lets nothing through."));
  return {
    ...redis,
    commands: {
      ...commands,
      async runScript(script, keys, args) {
        if (faults.isCut || (faults.isSilent && script.name === "heartbeat")) return refuse();
        if (random() < faults.lateCopy) {
          const again = () => commands.runScript(script, keys, args).catch(() => {});
          setTimeout(again, random() * LONGEST_DELAY_MS);
        }
        if (random() < faults.twice) await commands.runScript(script, keys, args);
        const answer = await commands.runScript(script, keys, args);
        return faults.isCut || random() < faults.lostAnswer ? refuse() : answer;
      },
      call: (command, key, ...args) =>
        faults.isCut ? refuse() : commands.call(command, key, ...args),
    },
  };
}
