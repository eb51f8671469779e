/** Every driver of a server made slow at once: each answer takes a random 0–20 ms. */
import type { ServerOptions } from "../../src/server.ts";
import { createDelayedAdapter } from "./delayed-adapter.ts";
import { createDelayedApps } from "./delayed-apps.ts";
import { createDelayedCacheStore } from "./delayed-cache-store.ts";
import { createDelayedCalls, createSeededRandom } from "./delayed-calls.ts";
import { createDelayedChannelState } from "./delayed-channel-state.ts";

export function delayedDrivers(
  seed = Math.floor(Math.random() * 2 ** 31),
): NonNullable<ServerOptions["wrap"]> {
  console.log(`# slow drivers, seed ${seed}`);
  const calls = createDelayedCalls(createSeededRandom(seed));
  return {
    apps: (apps) => createDelayedApps(apps, calls),
    adapter: (adapter) => createDelayedAdapter(adapter, calls),
    state: (state) => createDelayedChannelState(state, calls),
    cache: (cache) => createDelayedCacheStore(cache, calls),
  };
}
