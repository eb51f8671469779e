/**
 * Whether other nodes live. A node that starts remembers no epoch: where it is the first to register, the data
 * does not say whether there was none before, or Redis has just lost it.
 *
 *     {t0}:alive  topic, on which nothing is said: every node hears it that has registered in all partitions
 */
import { readScript, unexpectedReply } from "./redis-script.ts";
import type { StateContext } from "./redis-state-context.ts";

const COUNT_NODES = readScript("count-nodes", 1);

export interface Peers {
  /**
   * For how long others may come who have lost the state, should this node be the first to register just now,
   * in ms; 0: nobody else lives. Rejects with RedisUnavailableError.
   */
  returnMs(): Promise<number>;
  /** This node has registered everywhere: who starts from now on finds it. Repeatable, never fails. */
  join(): void;
  leave(): void;
}

export function createPeers({ redis, settings }: StateContext): Peers {
  const { bus, commands, keys } = redis;
  const topic = keys.key(0, "alive");
  const count = bus.publishCommand === "SPUBLISH" ? "SHARDNUMSUB" : "NUMSUB";
  let asking: Promise<number> | undefined;
  let joining: Promise<void> | undefined;

  async function ask(): Promise<number> {
    const nodes = await commands.runScript(COUNT_NODES, [topic], [count]);
    if (typeof nodes !== "number") throw unexpectedReply(COUNT_NODES, nodes);
    if (nodes > 0) return settings.restoreMs;
    // Those that live may not be back yet. Once they are, they say themselves how long they need.
    return redis.hasBeenAway() ? settings.returnMs : 0;
  }

  return {
    returnMs() {
      // All partitions ask at once.
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    join() {
      joining ??= bus.subscribe(topic).catch(() => {
        joining = undefined; // until the next heartbeat
      });
    },
    leave() {
      if (joining !== undefined) bus.unsubscribe(topic);
    },
  };
}
