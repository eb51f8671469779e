/**
 * Finds a subscriber's connection that looks alive and is not: the node sends itself a message through each,
 * and gives up the connection through which two in a row have not come.
 */
import type { Log } from "../protocol/log.ts";
import type { OwnBus } from "./create-bus.ts";
import type { Keys } from "./keys.ts";
import { messageHeader } from "./message.ts";
import { RedisUnavailableError } from "./redis-unavailable.ts";
import type { Link, Subscribers } from "./subscribers.ts";

const MOST_MISSES = 2;

export interface ProbeParts {
  readonly bus: OwnBus;
  readonly keys: Keys;
  readonly subscribers: Subscribers;
  /** Tells this node's probes from others'. */
  readonly nodeId: string;
  readonly intervalMs: number;
  readonly log: Log;
}

export interface Probe {
  start(): void;
  close(): void;
}

/** A topic that is heard through one link. */
interface Probed {
  readonly link: Link;
  isAwaited: boolean;
  misses: number;
}

export function createProbe(parts: ProbeParts): Probe {
  const { bus, keys, subscribers, nodeId, intervalMs, log } = parts;
  const probed = new Map<string, Probed>();
  const bytes = Buffer.from(messageHeader("probe"));
  let timer: NodeJS.Timeout | undefined;

  bus.on("probe", (topic) => {
    const found = probed.get(topic);
    if (found === undefined) return;
    found.isAwaited = false;
    found.misses = 0;
  });

  /** One topic for each link, of the first partition that it hears. */
  function chooseTopics(): void {
    const wanted = new Map<string, Link>();
    const links = new Set(subscribers.links());
    for (let p = 0; p < keys.partitions && links.size > 0; p++) {
      const link = subscribers.linkOf(p);
      if (link !== undefined && links.delete(link)) wanted.set(keys.probeTopic(p, nodeId), link);
    }
    for (const [topic, { link }] of probed) {
      if (wanted.get(topic) === link) continue;
      probed.delete(topic);
      bus.unsubscribe(topic);
    }
    for (const [topic, link] of wanted) {
      if (probed.has(topic)) continue;
      probed.set(topic, { link, isAwaited: false, misses: 0 });
      bus.subscribe(topic).catch((error: unknown) => {
        if (!(error instanceof RedisUnavailableError)) throw error;
        probed.delete(topic); // chosen again at the next look
      });
    }
  }

  function look(): void {
    for (const found of probed.values()) {
      if (found.isAwaited) found.misses += 1;
      found.isAwaited = false;
      if (found.misses < MOST_MISSES || !found.link.isReady()) continue;
      found.misses = 0;
      bus.counters.probeFailures += 1;
      log.warn({ master: found.link.master }, "redis subscriber is deaf, connecting again");
      found.link.reconnect();
    }
    chooseTopics();
    for (const [topic, found] of probed) void send(topic, found);
  }

  /** Never rejects: a publisher that cannot send says nothing about the subscriber. */
  async function send(topic: string, found: Probed): Promise<void> {
    if (!found.link.isReady() || !bus.isHeard(topic)) return;
    found.isAwaited = true;
    try {
      await bus.publish(topic, bytes);
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error;
      found.isAwaited = false;
    }
  }

  return {
    start() {
      chooseTopics();
      timer ??= setInterval(look, intervalMs);
    },
    close: () => clearInterval(timer),
  };
}
