/** How much memory Redis has left, and what it does when there is none: with webhooks in it, it must refuse. */
import type { RedisClient } from "./clients.ts";
import type { Gate } from "./gate.ts";
import { RedisUnavailableError } from "./redis-unavailable.ts";

export interface RedisMemory {
  readonly usedBytes: number;
  /** 0: no limit. */
  readonly maxBytes: number;
  /** Everything but `noeviction` may throw away state and webhooks. */
  readonly policy: string;
}

/** One for each master. */
export async function readMemory(
  gate: Gate,
  client: RedisClient | undefined,
): Promise<readonly RedisMemory[]> {
  if (client === undefined) throw new RedisUnavailableError("info: there is no connection yet.");
  const masters = "slots" in client ? client.nodes("master") : [client];
  return Promise.all(
    masters.map(async (master, n) => {
      const info = await gate.run("info", `info ${n}`, () => master.info("memory"));
      return {
        usedBytes: Number(valueIn(info, "used_memory")),
        maxBytes: Number(valueIn(info, "maxmemory")),
        policy: valueIn(info, "maxmemory_policy"),
      };
    }),
  );
}

function valueIn(info: string, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
}
