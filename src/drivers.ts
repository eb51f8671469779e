/** The drivers of a node, all of one kind: memory for a node that is alone, Redis for one among others. */
import type { Adapter, DeliverLocally } from "./adapters/adapter.ts";
import type { Apps } from "./apps/app.ts";
import type { CacheStore } from "./cache/cache-store.ts";
import type { Announcements, ChannelState } from "./channel-state/channel-state.ts";
import type { ClusterSample } from "./observability/cluster-sample.ts";
import type { Log } from "./protocol/log.ts";
import type { WholeOutbox } from "./webhooks/whole-outbox.ts";

export interface Drivers {
  readonly adapter: Adapter;
  readonly state: ChannelState;
  readonly cache: CacheStore;
  readonly outbox: WholeOutbox;
  /**
   * Done once this node may serve: at once in memory; with Redis when the node has joined its deployment and
   * holds its leases, however long that takes. Rejects when it may not join, and when closed meanwhile.
   */
  start(): Promise<void>;
  /** The app's connections on other nodes, as far as is known now: see `redis/connection-counts.ts`. */
  connectionsElsewhere(appId: string): number;
  /** Done once those numbers are of now; false when they may be of a node that is gone. Never rejects. */
  confirmElsewhere(): Promise<boolean>;
  /**
   * Others may admit clients in place of those whom this node still holds: it stops, and they will come back
   * elsewhere. Never rejects. Repeatable.
   */
  leave(): Promise<void>;
  /** Lets go of what the drivers share. After each of them has been closed. Repeatable. */
  close(): Promise<void>;
  /** False when this node must take no more clients until an operator has helped: {@link problems} say why. */
  mayServe(): boolean;
  /** What is wrong with what the drivers stand on, in sentences for operators; empty when all is well. */
  problems(): readonly string[];
  /** Events kept in this node's memory for cache channels; undefined where they are kept elsewhere. */
  cacheSizes(): CacheSizes | undefined;
  /** What metrics say of the cluster; undefined for a node that is alone. */
  cluster(): ClusterSample | undefined;
}

export interface CacheSizes {
  readonly entries: number;
  readonly bytes: number;
  readonly evictions: number;
  /** Cache channels found empty of which too many were remembered: their cache_miss may come twice. */
  readonly forgottenMissEpisodes: number;
}

/** What drivers are given by the composition root. */
export interface DriverParts {
  readonly apps: Apps;
  /** Of this node. */
  readonly connectionsOf: (appId: string) => number;
  readonly deliver: DeliverLocally;
  readonly announce: Announcements;
  readonly now: () => number;
  readonly log: (room: string) => Log;
  /** How long an answered command of Redis took; `command` is the name of the command or script. */
  readonly observeCommand: (command: string, seconds: number) => void;
}
