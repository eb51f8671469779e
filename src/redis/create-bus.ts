/** The bus: which topics this node hears, and the messages that come on them. */
import type { BusCounters, MessageHandler, RedisBus } from "./bus.ts";
import type { RedisClient } from "./clients.ts";
import type { Gate } from "./gate.ts";
import type { Keys } from "./keys.ts";
import { type BusKind, messageKind } from "./message.ts";
import { RedisUnavailableError } from "./redis-unavailable.ts";
import type { Link, LinkEvents, Subscribers } from "./subscribers.ts";

/** Topics per command: beyond that a command is hardly cheaper per topic, and holds others up for longer. */
const MOST_TOPICS_AT_ONCE = 128;

/** How long a topic that was refused waits for its next try. */
const RETRY_AFTER_MS = 100;

/** Calls of `subscribe` that may wait at one time. */
const MOST_WAITING = 100_000;

export interface BusParts {
  readonly keys: Keys;
  readonly isCluster: boolean;
  readonly gate: Gate;
  /** Rejects while there is none. */
  readonly publisher: () => Promise<RedisClient> | RedisClient;
  readonly laneOf: (topic: string) => string;
  readonly subscribeTimeoutMs: number;
  readonly lingerMs: number;
}

export interface OwnBus extends RedisBus {
  /** What the subscribers tell. */
  readonly events: LinkEvents;
  /** Whether Redis has acknowledged the topic on a connection that is still there. */
  isHeard(topic: string): boolean;
  /** Begins to hear. */
  start(subscribers: Subscribers): void;
  /** Whoever waits is told that it is in vain. */
  close(): void;
  readonly counters: BusCounters;
}

/** A topic that somebody wants, or wanted a moment ago. */
interface Topic {
  readonly name: string;
  readonly partition: number;
  references: number;
  /** The link that hears it, or was asked to. */
  link: Link | undefined;
  /** The command that asks for it, until it is answered. */
  asking: object | undefined;
  isHeard: boolean;
  /** It was heard before and lost since: messages may have been missed. */
  hasGap: boolean;
  readonly waiters: Set<Waiter>;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: RedisUnavailableError) => void;
  readonly timer: NodeJS.Timeout;
}

export function createBus(parts: BusParts): OwnBus {
  const { keys, isCluster, gate, publisher, laneOf, subscribeTimeoutMs, lingerMs } = parts;
  const topics = new Map<string, Topic>();
  /** Those without a reference, by the time at which they go, oldest first. */
  const lingering = new Map<Topic, number>();
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
  let subscribers: Subscribers | undefined;
  let isClosed = false;
  let waiting = 0;
  /** Asked for in this turn of the event loop. */
  let fresh: Topic[] = [];
  let flushing: NodeJS.Immediate | undefined;
  let retrying: NodeJS.Timeout | undefined;
  let sweeping: NodeJS.Timeout | undefined;

  function subscribe(name: string): Promise<void> {
    if (isClosed) return Promise.reject(new RedisUnavailableError("The bus is closed."));
    const topic = topics.get(name) ?? addTopic(name);
    if (topic.isHeard) {
      refer(topic);
      return Promise.resolve();
    }
    if (waiting >= MOST_WAITING) {
      counters.subscribeFailures += 1;
      if (topic.references === 0) linger(topic);
      return Promise.reject(
        new RedisUnavailableError(`${waiting} subscriptions wait, as many as are allowed.`),
      );
    }
    refer(topic);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        counters.subscribeFailures += 1;
        topic.waiters.delete(waiter);
        waiting -= 1;
        unsubscribe(name);
        reject(new RedisUnavailableError(`No topic was heard in ${subscribeTimeoutMs} ms.`));
      }, subscribeTimeoutMs);
      const waiter = { resolve, reject, timer };
      topic.waiters.add(waiter);
      waiting += 1;
    });
  }

  function addTopic(name: string): Topic {
    const partition = keys.partitionOfTopic(name);
    if (partition === undefined) throw new RangeError(`${JSON.stringify(name)} is no topic.`);
    const topic: Topic = {
      name,
      partition,
      references: 0,
      link: undefined,
      asking: undefined,
      isHeard: false,
      hasGap: false,
      waiters: new Set(),
    };
    topics.set(name, topic);
    fresh.push(topic);
    flushing ??= setImmediate(flush);
    return topic;
  }

  function refer(topic: Topic): void {
    topic.references += 1;
    lingering.delete(topic);
  }

  function flush(): void {
    const asked = fresh;
    fresh = [];
    flushing = undefined;
    hear(asked);
  }

  /** Asks for those that nobody hears yet and whose link is there; the others wait until theirs is ready. */
  function hear(wanted: Iterable<Topic>): void {
    const portions = new Map<string, Topic[]>();
    for (const topic of wanted) {
      const link = subscribers?.linkOf(topic.partition);
      if (topic.isHeard || topic.asking !== undefined || link?.isReady() !== true) continue;
      // One command of a Redis Cluster may name topics of one slot only.
      const group = isCluster ? `${topic.partition}` : "";
      const portion = portions.get(group) ?? [];
      portion.push(topic);
      if (portion.length < MOST_TOPICS_AT_ONCE) {
        portions.set(group, portion);
      } else {
        portions.delete(group);
        void ask(link, portion);
      }
    }
    for (const portion of portions.values()) {
      const [first] = portion;
      const link = first && subscribers?.linkOf(first.partition);
      if (link !== undefined) void ask(link, portion);
    }
  }

  /** Never rejects. */
  async function ask(link: Link, portion: readonly Topic[]): Promise<void> {
    for (const topic of portion) {
      topic.asking = portion;
      topic.link = link;
    }
    try {
      await link.subscribe(portion.map(({ name }) => name));
    } catch {
      for (const topic of portion) if (topic.asking === portion) topic.asking = undefined;
      retryLater();
      return;
    }
    const again: string[] = [];
    for (const topic of portion) {
      if (topic.asking !== portion) continue;
      topic.asking = undefined;
      topic.isHeard = true;
      if (topic.hasGap) again.push(topic.name);
      topic.hasGap = false;
      for (const waiter of topic.waiters) settle(topic, waiter).resolve();
    }
    if (again.length === 0) return;
    counters.resubscriptions += again.length;
    for (const listener of resubscribed) listener(again);
  }

  function settle(topic: Topic, waiter: Waiter): Waiter {
    clearTimeout(waiter.timer);
    topic.waiters.delete(waiter);
    waiting -= 1;
    return waiter;
  }

  /** A slot on its way to another master, a connection just lost, or something that an operator has to see. */
  function retryLater(): void {
    if (isClosed) return;
    retrying ??= setTimeout(() => {
      retrying = undefined;
      subscribers?.refresh();
      hear(topics.values());
    }, RETRY_AFTER_MS);
  }

  function forget(isGone: (topic: Topic) => boolean): void {
    for (const topic of topics.values()) {
      if (topic.link === undefined || !isGone(topic)) continue;
      if (topic.isHeard) topic.hasGap = true;
      topic.isHeard = false;
      topic.asking = undefined;
      topic.link = undefined;
    }
  }

  function unsubscribe(name: string): void {
    const topic = topics.get(name);
    if (topic === undefined || topic.references === 0) return;
    topic.references -= 1;
    if (topic.references === 0) linger(topic);
  }

  function linger(topic: Topic): void {
    if (isClosed) return;
    lingering.set(topic, performance.now() + lingerMs);
    sweeping ??= setTimeout(sweep, lingerMs);
  }

  function sweep(): void {
    sweeping = undefined;
    const nowMs = performance.now();
    const leaving = new Map<Link, string[]>();
    for (const [topic, dueMs] of lingering) {
      if (dueMs > nowMs) {
        sweeping = setTimeout(sweep, dueMs - nowMs);
        break;
      }
      lingering.delete(topic);
      topics.delete(topic.name);
      const { link } = topic;
      if (link === undefined || !(topic.isHeard || topic.asking)) continue;
      const names = leaving.get(link) ?? [];
      names.push(topic.name);
      leaving.set(link, names);
    }
    for (const [link, names] of leaving) leave(link, names);
  }

  function leave(link: Link, names: readonly string[]): void {
    if (!link.isReady()) return;
    const portions = new Map<number, string[]>();
    for (const name of names) {
      const group = isCluster ? (keys.partitionOfTopic(name) ?? 0) : 0;
      const portion = portions.get(group) ?? [];
      if (portion.push(name) === 1) portions.set(group, portion);
    }
    for (const portion of portions.values()) {
      for (let at = 0; at < portion.length; at += MOST_TOPICS_AT_ONCE) {
        link.unsubscribe(portion.slice(at, at + MOST_TOPICS_AT_ONCE));
      }
    }
  }

  async function send(topic: string, bytes: Buffer): Promise<void> {
    const client = await publisher();
    // Two calls: the client library tells the commands apart by their method.
    await (isCluster ? client.spublish(topic, bytes) : client.publish(topic, bytes));
  }

  return {
    publishCommand: isCluster ? "SPUBLISH" : "PUBLISH",
    subscribe,
    unsubscribe,
    async publish(topic, bytes) {
      try {
        await gate.run("publish", laneOf(topic), () => send(topic, bytes));
        counters.published += 1;
      } catch (error) {
        counters.publishFailures += 1;
        throw error;
      }
    },
    on(kind, handler) {
      if (handlers.has(kind)) throw new Error(`${kind} has a handler already.`);
      handlers.set(kind, handler);
    },
    onResubscribed: (listener) => void resubscribed.push(listener),
    counters,
    get topics() {
      return topics.size;
    },
    events: {
      ready: () => hear(topics.values()),
      lost: (link) => forget((topic) => topic.link === link),
      moved(link) {
        // Which topics it was is not said: all of the link are asked for again, where they belong now.
        forget((topic) => topic.link === link);
        subscribers?.refresh();
        retryLater();
      },
      ownersChanged() {
        forget((topic) => topic.link !== subscribers?.linkOf(topic.partition));
        hear(topics.values());
      },
      message(name, bytes) {
        counters.received += 1;
        const topic = name.toString();
        const kind = messageKind(bytes);
        const handler = kind && handlers.get(kind);
        if (handler === undefined) counters.unknownMessages += 1;
        else if (!topics.get(topic)?.references) counters.unheardMessages += 1;
        else handler(topic, bytes);
      },
    },
    isHeard: (topic) => topics.get(topic)?.isHeard === true,
    start(links) {
      subscribers = links;
      hear(topics.values());
    },
    close() {
      isClosed = true;
      clearImmediate(flushing);
      clearTimeout(retrying);
      clearTimeout(sweeping);
      for (const topic of topics.values()) {
        for (const waiter of topic.waiters) {
          settle(topic, waiter).reject(new RedisUnavailableError("The bus is closed."));
        }
      }
      topics.clear();
    },
  };
}
