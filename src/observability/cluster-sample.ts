/** What a node among others hands to the metrics. Everything without another word only grows. */

export interface ClusterSample {
  /** Now: Redis answers and is heard. */
  readonly isUp: boolean;
  readonly commands: RedisCallCounts;
  readonly publishes: RedisCallCounts;
  /** Of each master, as it said last. */
  readonly memory: readonly {
    readonly usedBytes: number;
    /** 0: no limit. */
    readonly maxBytes: number;
    readonly policy: string;
  }[];
  /** Heard now. */
  readonly topics: number;
  readonly bus: {
    readonly published: number;
    readonly received: number;
    readonly unknownMessages: number;
    readonly unheardMessages: number;
    readonly subscribeFailures: number;
    readonly resubscriptions: number;
    readonly probeFailures: number;
  };
  readonly adapter: {
    readonly delivered: number;
    readonly echoes: number;
    readonly malformed: number;
    readonly clientEventFailures: number;
    readonly publishFailures: number;
  };
  /** Of this node's connections, to the other nodes. */
  readonly reports: { readonly failures: number };
  readonly state: StateCounts;
  readonly outbox: OutboxSample;
  /** Now. */
  readonly health: {
    readonly failingPartitions: number;
    readonly backlog: number;
    readonly leaseAgeMs: number | undefined;
  };
}

/** The webhook outbox, as this node dispatches from it. */
export interface OutboxSample {
  /** Of the deployment. */
  readonly partitions: number;
  /** Of them this node's, now. */
  readonly owned: number;
  /** Events of theirs that are kept in memory, now. */
  readonly cachedBytes: number;
  readonly claims: number;
  readonly lost: number;
  readonly failures: number;
  readonly wakeUps: number;
  readonly evictions: number;
}

export interface RedisCallCounts {
  readonly calls: number;
  readonly errors: number;
  readonly connectionFailures: number;
  readonly timeouts: number;
  readonly refusedSilent: number;
  readonly refusedFull: number;
}

export interface StateCounts {
  readonly writes: number;
  readonly countSteps: number;
  readonly joinSteps: number;
  readonly leaveSteps: number;
  readonly recordSteps: number;
  readonly writeFailures: number;
  readonly heartbeats: number;
  readonly heartbeatFailures: number;
  readonly reincarnations: number;
  readonly stateLosses: number;
  readonly writeLosses: number;
  readonly nodesReaped: number;
  readonly channelsReaped: number;
  readonly sweepFailures: number;
  readonly reapFailures: number;
  readonly recordsDropped: number;
  readonly leavesForgotten: number;
  readonly collapses: number;
  readonly rosterReads: number;
  readonly rosterGaps: number;
  readonly versionWaits: number;
  readonly foreignEpochs: number;
  readonly rosterOverflows: number;
  readonly unavailable: number;
}
