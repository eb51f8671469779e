/** How the Redis drivers ask Redis for something. */
import type { RedisClient } from "./clients.ts";
import type { Gate } from "./gate.ts";
import type { Script } from "./script.ts";

export type Argument = string | number | Buffer;

/**
 * Sends commands: one connection (on Redis Cluster one to each master), in the order of the calls for one
 * hash slot. Nothing is kept while Redis is away: calls reject with RedisUnavailableError at once, or after
 * `commandTimeoutMs` when no answer comes, in which case the command may yet be carried out. An error that
 * no repeating mends (`ERR`, `WRONGTYPE`, `CROSSSLOT`) rejects with the client library's ReplyError.
 */
export interface Commands {
  /** Runs a script by its hash, and once more with its text when Redis does not know it (any longer). */
  runScript(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
  /** Runs a plain command: `call("HGET", key, field)`. The key comes first and decides where it is sent. */
  call(command: string, key: string, ...args: readonly Argument[]): Promise<unknown>;
  readonly counters: Readonly<CommandCounters>;
}

export interface CommandCounters {
  /** Scripts that Redis did not know. */
  scriptReloads: number;
}

export interface CommandsParts {
  readonly gate: Gate;
  /** Rejects while there is none. */
  readonly client: () => Promise<RedisClient> | RedisClient;
  /** What falls silent together with the server of `key`. */
  readonly laneOf: (key: string) => string;
}

export function createCommands({ gate, client, laneOf }: CommandsParts): Commands {
  const counters: CommandCounters = { scriptReloads: 0 };

  async function evaluate(
    { sha, lua, numberOfKeys }: Script,
    rest: readonly Argument[],
  ): Promise<unknown> {
    const redis = await client();
    try {
      return await redis.evalsha(sha, numberOfKeys, ...rest);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      counters.scriptReloads += 1;
      return redis.eval(lua, numberOfKeys, ...rest);
    }
  }

  return {
    runScript(script, keys, args) {
      if (keys.length !== script.numberOfKeys) {
        const found = `${script.name}.lua takes ${script.numberOfKeys} keys, found ${keys.length}.`;
        return Promise.reject(new RangeError(found));
      }
      return gate.run(script.name, laneOf(keys[0] ?? ""), () =>
        evaluate(script, [...keys, ...args]),
      );
    },
    call: (command, key, ...args) =>
      gate.run(command.toLowerCase(), laneOf(key), async () =>
        (await client()).call(command, key, ...args),
      ),
    counters,
  };
}
