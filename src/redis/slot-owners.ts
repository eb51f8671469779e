/** Which master of a Redis Cluster holds what, as the client library knows it. */
import type { RedisClient } from "./clients.ts";
import { hashSlot } from "./hash-slot.ts";
import type { Keys } from "./keys.ts";
import type { Owners } from "./subscribers.ts";

/** The server that `key` lies on, `host:port`; empty without a cluster, and where nobody is known to hold it. */
export function serverOf(client: RedisClient | undefined, key: string): string {
  if (client === undefined || !("slots" in client)) return "";
  return client.slots[hashSlot(key)]?.[0] ?? "";
}

/** Undefined when `client` is not connected to a cluster. */
export function createSlotOwners(client: RedisClient, keys: Keys): Owners | undefined {
  if (!("slots" in client)) return undefined;
  const slots = Array.from({ length: keys.partitions }, (_, p) => hashSlot(keys.key(p)));
  return {
    partitions: keys.partitions,
    of(p) {
      const slot = slots[p];
      return slot === undefined ? undefined : client.slots[slot]?.[0];
    },
    refresh: () => client.refreshSlotsCache(() => {}), // a failure is tried again: who asked still has the need
    onRefreshed: (listener) => void client.on("refresh", listener),
  };
}
