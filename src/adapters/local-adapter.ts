/** The adapter of a node that is alone: every subscriber is here, so a message is delivered at once. */
import type { Adapter, DeliverLocally } from "./adapter.ts";

export function createLocalAdapter(deliver: DeliverLocally): Adapter {
  return {
    driver: "memory",
    subscribe() {},
    unsubscribe() {},
    publish: deliver,
    async close() {},
  };
}
