/** Everything in this process: nothing else to install, and nothing left when it ends. */
import { createLocalAdapter } from "./adapters/local-adapter.ts";
import { createMemoryCacheStore } from "./cache/memory-cache-store.ts";
import { createMemoryChannelState } from "./channel-state/memory-channel-state.ts";
import type { Config } from "./config/config.ts";
import type { DriverParts, Drivers } from "./drivers.ts";
import { DEFAULT_PARTITIONS } from "./protocol/partition.ts";
import { laneBounds } from "./server-settings.ts";
import { createEventLog } from "./webhooks/event-log.ts";
import { createMemoryOutbox } from "./webhooks/memory-outbox.ts";
import { createWantedEvents } from "./webhooks/wanted-events.ts";

export function createMemoryDrivers(config: Config, parts: DriverParts): Drivers {
  const { apps, deliver, announce, now, log } = parts;
  const events = createEventLog({
    partitions: DEFAULT_PARTITIONS,
    now,
    epoch: now(),
    isWanted: createWantedEvents(apps),
    log: log("webhooks"),
  });
  const state = createMemoryChannelState({
    partitions: DEFAULT_PARTITIONS,
    now,
    append: events.append,
    lastEventId: events.lastId,
    announce,
    wake: events.wake,
  });
  const cache = createMemoryCacheStore({
    now,
    append: events.append,
    maxBytes: config.cache.max_mb * 1_048_576,
  });
  const bounds = laneBounds(config);
  return {
    adapter: createLocalAdapter(deliver),
    state,
    cache,
    outbox: createMemoryOutbox({ events, sweep: state.sweep, now, bounds }),
    async start() {},
    connectionsElsewhere: () => 0,
    confirmElsewhere: async () => true,
    async leave() {},
    async close() {},
    mayServe: () => true,
    problems: () => [],
    cacheSizes: () => ({ ...cache.sizes(), ...cache.counters }),
    cluster: () => undefined,
  };
}
