/** What a scenario of the bench is: a kind of load, the unit of work it counts, and what is to be reached. */
import type { Endpoint } from "../support/endpoint.ts";
import type { SideConfig, SideName } from "../support/sides.ts";

/** What is measured per unit: CPU time of the server in µs, resident memory in bytes, or the p99 latency in ms. */
export type Quantity = "cpu" | "memory" | "latency";

/** The most that Pipit may take: in the bare server's measure, or as a figure of its own. */
export interface Goal {
  readonly kind: "ratio" | "absolute";
  readonly most: number;
}

export interface Scenario {
  readonly name: string;
  /** For the table: what happens. */
  readonly title: string;
  /** What the work is counted in: delivery, request. */
  readonly unit: string;
  readonly quantity: Quantity;
  readonly goal: Goal | undefined;
  readonly sides: readonly SideName[];
  /** Whether it starts a Redis. */
  readonly needsRedis?: boolean;
  /** Whether any other server can be measured by it. */
  readonly takesTarget: boolean;
  /**
   * Opens a server's clients. `scale` 1 is the full size, less makes all of it smaller. `publisher`: where those are
   * who publish, come and go, and every second one of a pair, when that is another node of the same cluster.
   */
  open(endpoint: Endpoint, scale: number, publisher?: Endpoint): Promise<Load>;
  /** Undefined: nothing is running beside the servers. */
  prepare?(): Promise<Surroundings>;
}

/** What a scenario's servers need: configuration, and what has to run beside them. */
export interface Surroundings {
  readonly config: SideConfig;
  /** CPU time so far in µs of what is reported beside the server, by name. */
  readonly cpuUs?: () => Promise<number>;
  close(): Promise<void>;
}

export interface Load {
  /** One round: all its work, each delivery counted. Rejects when one is lost or one too many. */
  round(): Promise<Work>;
  /** The most units per second that the server takes, for a load that is a part of it. */
  saturate?(): Promise<number>;
  /** From then on a round makes this many units per second. */
  pace?(unitsPerSecond: number): void;
  /** After the last round: rejects when more was delivered than was sent. */
  end?(): Promise<void>;
  /** One frame as it was delivered: servers that are compared must send the same. */
  readonly sample: string;
  close(): void;
}

export interface Work {
  readonly units: number;
  /** 99 of 100 were delivered within this many ms. */
  readonly p99Ms?: number;
}

/** `count` at full size; at least `least` whatever the scale. */
export function scaled(count: number, scale: number, least = 1): number {
  return Math.max(least, Math.round(count * scale));
}
