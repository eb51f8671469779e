/** One Redis for all tests of a `describe`, each under a key prefix of its own. */
import { after, before } from "node:test";
import { type RedisServer, startRedis } from "./redis-server.ts";

export interface SharedRedis {
  /** Throws outside of the tests: it runs from before the first of them until after the last. */
  readonly server: RedisServer;
  /** One that nobody has used yet. */
  keyPrefix(): string;
}

/** Call it in a `describe`, outside of its tests. */
export function shareRedis(): SharedRedis {
  let server: RedisServer | undefined;
  let prefixes = 0;
  before(async () => {
    server = await startRedis(undefined);
  });
  after(() => server?.stop());
  return {
    get server() {
      if (server === undefined) throw new Error("The shared Redis is there in tests only.");
      return server;
    },
    keyPrefix() {
      prefixes += 1;
      return `shared-${prefixes}:`;
    },
  };
}
