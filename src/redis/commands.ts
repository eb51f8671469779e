/** How the Redis drivers ask Redis for something. */
import type { Script } from "./script.ts";

export type Argument = string | number | Buffer;

/**
 * Sends commands: one connection (on Redis Cluster one to each master), in the order of the calls for one
 * hash slot. Nothing is kept while Redis is away: calls reject with RedisUnavailableError at once, or after
 * `commandTimeoutMs` when no answer comes, in which case the command may yet be carried out. An error that
 * Redis itself answers rejects with ioredis' ReplyError.
 */
export interface Commands {
  /** Runs a script by its hash, and once more with its text when Redis does not know it (any longer). */
  runScript(script: Script, keys: readonly string[], args: readonly Argument[]): Promise<unknown>;
  /** Runs a plain command: `call("HGET", key, field)`. The key comes first and decides where it is sent. */
  call(command: string, key: string, ...args: readonly Argument[]): Promise<unknown>;
}
