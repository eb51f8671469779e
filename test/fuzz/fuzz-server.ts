/**
 * The server that is fuzzed, in a process of its own: with every feature on, and told to say how much memory
 * it holds. Talks over IPC: `{ port, metricsPort }` when it listens, then `Memory` for each message it gets.
 */
import { createServer } from "../../src/server.ts";
import { APP } from "../support/pipit.ts";

/** In bytes, after garbage collection. */
export interface Memory {
  readonly heap: number;
  readonly rss: number;
}

export interface Listening {
  readonly port: number;
  readonly metricsPort: number;
}

const server = createServer({
  port: 0,
  metrics: { port: 0 },
  log: { level: "warn", format: "json" },
  // Every frame is to be read, none refused unread.
  limits: { commands_per_second: -1 },
  cache: { max_mb: 1, ttl_s: 1 },
  app_manager: {
    apps: [
      {
        ...APP,
        enable_client_messages: true,
        enable_client_messages_on_public_channels: true,
        enable_user_authentication: true,
        enable_watchlist_events: true,
        enable_subscription_count: true,
        max_client_events_per_second: -1,
      },
    ],
  },
});
await server.listen();
process.on("message", () => {
  for (let n = 0; n < 3; n++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ heap: heapUsed + external, rss } satisfies Memory);
});
process.on("disconnect", () => process.exit(0));
const address = server.address();
process.send?.({
  port: address?.port ?? 0,
  metricsPort: address?.metrics?.port ?? 0,
} satisfies Listening);
