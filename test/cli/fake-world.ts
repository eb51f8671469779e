/** A world for the commands in which nothing listens: what was written and asked for can be looked at. */
import type { CommandedServer, World } from "../../src/cli/world.ts";

export interface FakeWorld extends World {
  readonly written: { out: string; err: string };
  /** Configurations that a server was made for. */
  readonly served: unknown[];
  readonly listeners: Map<string, (cause: unknown) => void>;
  readonly exits: number[];
  readonly fatal: string[];
}

export function fakeWorld(cwd: string, over: Partial<World & CommandedServer> = {}): FakeWorld {
  const written = { out: "", err: "" };
  const served: unknown[] = [];
  const listeners = new Map<string, (cause: unknown) => void>();
  const exits: number[] = [];
  const fatal: string[] = [];
  const server: CommandedServer = {
    listen: async () => {},
    close: async () => {},
    address: () => ({ port: 12_345, metrics: { port: 23_456 } }),
    describe: () => ({
      uws: { name: "native-pack", version: "1.2.3" },
      drivers: { apps: "memory", channel_state: "memory", cache: "other" },
    }),
    ...over,
  };
  return {
    env: {},
    cwd,
    version: "9.9.9",
    isTerminal: true,
    isErrTerminal: false,
    now: Date.now,
    readInput: async () => Buffer.alloc(0),
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    createServer: (config) => {
      served.push(config);
      return server;
    },
    checkRedis: async () => ({ problems: [], warnings: [] }),
    loadedUws: async () => ({ name: "native-pack", version: "1.2.3" }),
    process: {
      on: (event, listener) => listeners.set(event, listener),
      exit: (code) => exits.push(code),
    },
    logFatal: (_log, _error, message) => fatal.push(message),
    ...over,
    written,
    served,
    listeners,
    exits,
    fatal,
  };
}
