/**
 * The connections that hear topics, and which of them hears which partition: one connection, or on Redis
 * Cluster one for each master that holds a partition. A connection forgets its topics when it is lost.
 */
import type { Redis } from "ioredis";

/** One connection that hears topics. */
export interface Link {
  /** `host:port` of a cluster's master, else empty. */
  readonly master: string;
  isReady(): boolean;
  /** One command; done when all are acknowledged. */
  subscribe(topics: readonly string[]): Promise<void>;
  unsubscribe(topics: readonly string[]): void;
  /** Gives the connection up and opens it again. */
  reconnect(): void;
}

/** What the bus has to know of its links. */
export interface LinkEvents {
  ready(link: Link): void;
  lost(link: Link): void;
  /** Topics of the link may be heard elsewhere now. */
  moved(link: Link): void;
  /** {@link Subscribers.linkOf} may answer otherwise than before. */
  ownersChanged(): void;
  message(topic: Buffer, bytes: Buffer): void;
}

export interface Subscribers {
  /** The link that hears partition `p`; undefined while nobody is known to hold it. */
  linkOf(p: number): Link | undefined;
  links(): readonly Link[];
  /** Whether every link is ready. */
  isReady(): boolean;
  start(): void;
  close(): void;
  /** Asks the cluster anew who holds what. */
  refresh(): void;
}

export interface SubscribersParts {
  readonly open: (master?: string) => Redis;
  /** Who holds each partition, `host:port`; undefined without Redis Cluster. */
  readonly owners: Owners | undefined;
  readonly events: LinkEvents;
}

export interface Owners {
  of(p: number): string | undefined;
  readonly partitions: number;
  refresh(): void;
  onRefreshed(listener: () => void): void;
}

export function createSubscribers(parts: SubscribersParts): Subscribers {
  return parts.owners === undefined
    ? createSingle(parts)
    : createSharded({ ...parts, owners: parts.owners });
}

function createSingle({ open, events }: SubscribersParts): Subscribers {
  const opened = openLink("", open(), events);
  return {
    linkOf: () => opened.link,
    links: () => [opened.link],
    isReady: () => opened.link.isReady(),
    start: opened.start,
    close: opened.close,
    refresh() {},
  };
}

function createSharded({
  open,
  owners,
  events,
}: SubscribersParts & { readonly owners: Owners }): Subscribers {
  const opened = new Map<string, OpenedLink>();
  const masters: (string | undefined)[] = [];
  let isClosed = false;

  function readOwners(): void {
    if (isClosed) return;
    let hasChanged = false;
    for (let p = 0; p < owners.partitions; p++) {
      const master = owners.of(p);
      // A partition whose slot is without a master for a moment stays where it was heard.
      if (master === undefined || master === masters[p]) continue;
      masters[p] = master;
      hasChanged = true;
    }
    if (!hasChanged) return;
    const wanted = new Set(masters);
    for (const [master, link] of opened) {
      if (wanted.has(master)) continue;
      opened.delete(master);
      link.close();
    }
    for (const master of wanted) {
      if (master === undefined || opened.has(master)) continue;
      const link = openLink(master, open(master), { ...events, lost });
      opened.set(master, link);
      link.start();
    }
    events.ownersChanged();
  }

  /** The master may be gone for good. */
  function lost(link: Link): void {
    events.lost(link);
    owners.refresh();
  }

  return {
    linkOf: (p) => opened.get(masters[p] ?? "")?.link,
    links: () => [...opened.values()].map(({ link }) => link),
    isReady: () => opened.size > 0 && [...opened.values()].every(({ link }) => link.isReady()),
    start() {
      owners.onRefreshed(readOwners);
      readOwners();
    },
    close() {
      isClosed = true;
      for (const link of opened.values()) link.close();
    },
    refresh: owners.refresh,
  };
}

interface OpenedLink {
  readonly link: Link;
  start(): void;
  close(): void;
}

function openLink(master: string, redis: Redis, events: LinkEvents): OpenedLink {
  const isSharded = master !== "";
  const link: Link = {
    master,
    isReady: () => redis.status === "ready",
    async subscribe(topics) {
      await (isSharded ? redis.ssubscribe(...topics) : redis.subscribe(...topics));
    },
    unsubscribe(topics) {
      const left = isSharded ? redis.sunsubscribe(...topics) : redis.unsubscribe(...topics);
      left.catch(() => {}); // a connection that is lost hears nothing either
    },
    reconnect: () => redis.disconnect(true),
  };
  redis.on("ready", () => events.ready(link));
  redis.on("close", () => events.lost(link));
  redis.on("moved", () => events.moved(link));
  redis.on(isSharded ? "smessageBuffer" : "messageBuffer", events.message);
  return {
    link,
    start: () => void redis.connect().catch(() => {}), // it tries again by itself
    close() {
      redis.removeAllListeners();
      redis.on("error", () => {});
      redis.disconnect();
    },
  };
}
