/**
 * Which topics this node hears. Everything that changes them is done in portions, and what a lost connection
 * has forgotten is asked for again: the topics are the truth, the connections follow.
 */
import type { Keys } from "./keys.ts";
import { createLingering } from "./lingering.ts";
import { createPortions } from "./portions.ts";
import { RedisUnavailableError } from "./redis-unavailable.ts";
import type { Link, LinkEvents, Subscribers } from "./subscribers.ts";

/** How long a topic that was refused waits for its next try. */
const RETRY_AFTER_MS = 100;

/** Calls of `subscribe` that may wait at one time. */
const MOST_WAITING = 100_000;

export interface HearingParts {
  readonly keys: Keys;
  readonly isCluster: boolean;
  readonly subscribeTimeoutMs: number;
  readonly lingerMs: number;
  /** When topics are heard again that were heard before a loss. */
  readonly onResubscribed: (topics: readonly string[]) => void;
}

export interface Hearing {
  /** See RedisBus, as for `unsubscribe`. */
  subscribe(name: string): Promise<void>;
  unsubscribe(name: string): void;
  /** Whether Redis has acknowledged the topic on a connection that is still there. */
  isHeard(name: string): boolean;
  /** Whether somebody has a reference to the topic. */
  isWanted(name: string): boolean;
  /** All that are asked for, those that linger among them. */
  readonly size: number;
  readonly events: Omit<LinkEvents, "message">;
  start(subscribers: Subscribers): void;
  close(): void;
}

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

export function createHearing(parts: HearingParts): Hearing {
  const { keys, isCluster, subscribeTimeoutMs, lingerMs, onResubscribed } = parts;
  const topics = new Map<string, Topic>();
  const lingering = createLingering(lingerMs, drop);
  let subscribers: Subscribers | undefined;
  let isClosed = false;
  let waiting = 0;
  /** Asked for in this turn of the event loop. */
  let fresh: Topic[] = [];
  let flushing: NodeJS.Immediate | undefined;
  let retrying: NodeJS.Timeout | undefined;

  function subscribe(name: string): Promise<void> {
    if (isClosed) return Promise.reject(new RedisUnavailableError("The bus is closed."));
    const found = topics.get(name);
    if (found?.isHeard !== true && waiting >= MOST_WAITING) {
      const message = `${waiting} subscriptions wait, as many as are allowed.`;
      return Promise.reject(new RedisUnavailableError(message));
    }
    const topic = found ?? add(name);
    topic.references += 1;
    lingering.keep(topic);
    return topic.isHeard ? Promise.resolve() : wait(topic);
  }

  function add(name: string): Topic {
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

  function wait(topic: Topic): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        // Who waits and has called unsubscribe meanwhile has given its reference back already.
        const hasReference = topic.waiters.size <= topic.references;
        settle(topic, waiter).reject(
          new RedisUnavailableError(`The topic was not heard in ${subscribeTimeoutMs} ms.`),
        );
        if (hasReference) release(topic);
      };
      const waiter: Waiter = { resolve, reject, timer: setTimeout(giveUp, subscribeTimeoutMs) };
      topic.waiters.add(waiter);
      waiting += 1;
    });
  }

  function settle(topic: Topic, waiter: Waiter): Waiter {
    clearTimeout(waiter.timer);
    topic.waiters.delete(waiter);
    waiting -= 1;
    return waiter;
  }

  function release(topic: Topic): void {
    topic.references -= 1;
    if (topic.references === 0) lingering.add(topic);
  }

  function drop(leaving: readonly Topic[]): void {
    const portions = createPortions<Topic>((portion, link) =>
      link.unsubscribe(portion.map(({ name }) => name)),
    );
    for (const topic of leaving) {
      topics.delete(topic.name);
      for (const waiter of topic.waiters) {
        settle(topic, waiter).reject(new RedisUnavailableError("Nobody wants the topic any more."));
      }
      const isThere = topic.link?.isReady() === true && (topic.isHeard || topic.asking);
      if (topic.link && isThere) portions.add(topic, topic.link, groupOf(topic));
    }
    portions.end();
  }

  function flush(): void {
    const asked = fresh;
    fresh = [];
    flushing = undefined;
    hear(asked);
  }

  /** Asks for those that nobody hears yet and whose link is there; the others wait until theirs is ready. */
  function hear(wanted: Iterable<Topic>): void {
    const portions = createPortions<Topic>((portion, link) => void ask(link, portion));
    for (const topic of wanted) {
      if (topic.isHeard || topic.asking !== undefined) continue;
      const link = subscribers?.linkOf(topic.partition);
      if (link?.isReady() === true) portions.add(topic, link, groupOf(topic));
    }
    portions.end();
  }

  /** One command of a Redis Cluster may name topics of one slot only. */
  function groupOf({ partition }: Topic): number {
    return isCluster ? partition : 0;
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
      if (topic.asking !== portion) continue; // lost since, and asked for elsewhere
      topic.asking = undefined;
      topic.isHeard = true;
      if (topic.hasGap) again.push(topic.name);
      topic.hasGap = false;
      for (const waiter of topic.waiters) settle(topic, waiter).resolve();
    }
    if (again.length > 0) onResubscribed(again);
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

  return {
    subscribe,
    unsubscribe(name) {
      const topic = topics.get(name);
      if (topic !== undefined && topic.references > 0) release(topic);
    },
    isHeard: (name) => topics.get(name)?.isHeard === true,
    isWanted: (name) => (topics.get(name)?.references ?? 0) > 0,
    get size() {
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
    },
    start(links) {
      subscribers = links;
      hear(topics.values());
    },
    close() {
      isClosed = true;
      clearImmediate(flushing);
      clearTimeout(retrying);
      lingering.close();
      for (const topic of topics.values()) {
        for (const waiter of topic.waiters) {
          settle(topic, waiter).reject(new RedisUnavailableError("The bus is closed."));
        }
      }
      topics.clear();
    },
  };
}
