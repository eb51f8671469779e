/** What the commands need from outside, handed in by `main.ts` and by tests. */
import type { Config, ConfigInput } from "../config/config.ts";
import type { Environment } from "../config/environment.ts";
import type { RedisCheck } from "../redis/check-redis.ts";

export interface World {
  readonly env: Environment;
  readonly cwd: string;
  /** Pipit's own version. */
  readonly version: string;
  readonly isTerminal: boolean;
  /** Standard error is one: a line there may be written over. */
  readonly isErrTerminal: boolean;
  /** Epoch ms. */
  now(): number;
  /** Writes a text with its line ends. */
  out(text: string): void;
  err(text: string): void;
  /** Everything on standard input, or undefined when it is longer than that. */
  readInput(maxBytes: number): Promise<Buffer | undefined>;
  createServer(config: ConfigInput): CommandedServer;
  /** Tries the Redis of a configuration that has one; changes nothing there. */
  checkRedis(config: Config): Promise<RedisCheck>;
  /** Which uWebSockets.js this machine loads. Rejects with PIPIT_UWS_UNAVAILABLE. */
  loadedUws(): Promise<{ readonly name: string; readonly version: string }>;
  readonly process: ProcessEvents;
  /** Logs what ends the process, as the configuration wants logs written. */
  logFatal(log: Config["log"], error: unknown, message: string): void;
}

/** What `start` uses of a server. */
export interface CommandedServer {
  listen(): Promise<void>;
  close(): Promise<void>;
  /** Where it listens: the ports are those found when 0 was configured. */
  address():
    | { readonly port: number; readonly metrics: { readonly port: number } | undefined }
    | undefined;
  describe(): {
    readonly uws: { readonly name: string; readonly version: string } | undefined;
    readonly drivers: Readonly<Record<string, string>>;
  };
}

/** What is used of `process`. */
export interface ProcessEvents {
  on(event: string, listener: (cause: unknown) => void): unknown;
  exit(code: number): void;
}
