/** An adapter that answers late, and that carries only what somebody has subscribed to. */
import type { Adapter } from "../../src/adapters/adapter.ts";
import type { DelayedCalls } from "./delayed-calls.ts";

/**
 * Subscribing and publishing are two queues, as they are two connections to Redis: a publish can overtake a
 * subscribe that has not been answered. What is published to an unheard topic reaches nobody.
 */
export function createDelayedAdapter(adapter: Adapter, calls: DelayedCalls): Adapter {
  const heard = new Set<string>();
  return {
    driver: `delayed ${adapter.driver}`,
    subscribe: (topic) =>
      calls.ask(`subscribe ${topic}`, async () => {
        await adapter.subscribe(topic);
        heard.add(topic);
      }),
    unsubscribe(topic) {
      calls.tell(`subscribe ${topic}`, () => {
        heard.delete(topic);
        adapter.unsubscribe(topic);
      });
    },
    publish: (kind, topic, frame, except) =>
      calls.ask(`publish ${topic}`, () => {
        if (heard.has(topic)) return adapter.publish(kind, topic, frame, except);
      }),
    async close() {
      await calls.settled();
      await adapter.close();
    },
  };
}
