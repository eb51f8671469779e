/** The bus: what is sent, and who gets what comes on the topics that are heard. */
import type { BusCounters, MessageHandler, RedisBus } from "./bus.ts";
import type { RedisClient } from "./clients.ts";
import type { Gate } from "./gate.ts";
import { createHearing } from "./hearing.ts";
import type { Keys } from "./keys.ts";
import { type BusKind, messageKind } from "./message.ts";
import type { LinkEvents, Subscribers } from "./subscribers.ts";

export interface BusParts {
  readonly keys: Keys;
  readonly isCluster: boolean;
  readonly gate: Gate;
  /** Rejects while there is none. */
  readonly publisher: () => Promise<RedisClient> | RedisClient;
  readonly laneOf: (topic: string) => string;
  /** Nothing is known to be wrong with the server of `topic`. */
  readonly canReach: (topic: string) => boolean;
  readonly subscribeTimeoutMs: number;
  readonly lingerMs: number;
}

export interface OwnBus extends RedisBus {
  /** What the subscribers tell. */
  readonly events: LinkEvents;
  /** Begins to hear. */
  start(subscribers: Subscribers): void;
  /** Whoever waits is told that it is in vain. */
  close(): void;
  readonly counters: BusCounters;
}

export function createBus(parts: BusParts): OwnBus {
  const { keys, isCluster, gate, publisher, laneOf, subscribeTimeoutMs, lingerMs } = parts;
  const handlers = new Map<BusKind, MessageHandler>();
  const resubscribed: ((topics: readonly string[]) => void)[] = [];
  const counters: BusCounters = {
    published: 0,
    publishFailures: 0,
    received: 0,
    unknownMessages: 0,
    unheardMessages: 0,
    subscribeFailures: 0,
    resubscriptions: 0,
    probeFailures: 0,
  };
  const hearing = createHearing({
    keys,
    isCluster,
    subscribeTimeoutMs,
    lingerMs,
    onResubscribed(topics) {
      counters.resubscriptions += topics.length;
      for (const listener of resubscribed) listener(topics);
    },
  });

  async function subscribe(topic: string): Promise<void> {
    try {
      await hearing.subscribe(topic);
    } catch (error) {
      counters.subscribeFailures += 1;
      throw error;
    }
  }

  async function publish(topic: string, bytes: Buffer): Promise<void> {
    try {
      await gate.run("publish", laneOf(topic), () => send(topic, bytes));
      counters.published += 1;
    } catch (error) {
      counters.publishFailures += 1;
      throw error;
    }
  }

  async function send(topic: string, bytes: Buffer): Promise<void> {
    const client = await publisher();
    await (isCluster ? client.spublish(topic, bytes) : client.publish(topic, bytes));
  }

  function receive(name: Buffer, bytes: Buffer): void {
    counters.received += 1;
    const kind = messageKind(bytes);
    const handler = kind && handlers.get(kind);
    if (handler === undefined) {
      counters.unknownMessages += 1;
      return;
    }
    const topic = name.toString();
    if (hearing.isWanted(topic)) handler(topic, bytes);
    else counters.unheardMessages += 1;
  }

  return {
    publishCommand: isCluster ? "SPUBLISH" : "PUBLISH",
    subscribe,
    unsubscribe: hearing.unsubscribe,
    publish,
    canPublish: parts.canReach,
    on(kind, handler) {
      if (handlers.has(kind)) throw new Error(`${kind} has a handler already.`);
      handlers.set(kind, handler);
    },
    onResubscribed: (listener) => void resubscribed.push(listener),
    counters,
    get topics() {
      return hearing.size;
    },
    events: { ...hearing.events, message: receive },
    isHeard: hearing.isHeard,
    start: hearing.start,
    close: hearing.close,
  };
}
