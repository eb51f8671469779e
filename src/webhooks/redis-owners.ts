/** This node's leases on the partitions that it dispatches. Source: architecture.md §5, Who dispatches. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { Claim } from "./outbox.ts";
import { createDispatchers, type Dispatchers } from "./redis-dispatchers.ts";
import { unexpected } from "./redis-entries.ts";

/** lease, touched */
const CLAIM = loadScript(new URL("./lua/claim.lua", import.meta.url), 2);
/** lease, wake */
const RELEASE = loadScript(new URL("./lua/release.lua", import.meta.url), 2);

/** How long a dispatcher that says nothing keeps its partitions: three looks. */
export const LEASE_MS = 6_000;

export interface OwnersParts {
  readonly commands: Commands;
  readonly keys: Keys;
  readonly owner: string;
  readonly leaseMs: number;
  readonly publishCommand: "PUBLISH" | "SPUBLISH";
  /** Lanes of a partition that was kept were changed by operators: their names. */
  readonly onTouched: (partition: number, laneNames: readonly string[]) => void;
}

export interface Owners extends Dispatchers {
  claim(partition: number): Promise<Claim>;
  release(partition: number): Promise<void>;
  /** The partition turned out to be another's. */
  lost(partition: number): void;
  /** What this node remembers of the partition may be wrong: its next claim is a new one. */
  doubt(partition: number): void;
  owns(partition: number): boolean;
  /** Partitions whose lease this node has, as far as it knows, in order. */
  owned(): readonly number[];
}

export function createOwners(parts: OwnersParts): Owners {
  const { commands, keys, owner, leaseMs, publishCommand, onTouched } = parts;
  const owned = new Set<number>();
  /** By partition, while it is in doubt: the newest reason. A claim ends only doubts that are older than itself. */
  const doubts = new Map<number, symbol>();
  const isCluster = publishCommand === "SPUBLISH";
  const { enlist, resign } = createDispatchers({ commands, keys, owner, leaseMs, isCluster });

  function doubt(partition: number): symbol {
    const reason = Symbol();
    doubts.set(partition, reason);
    return reason;
  }

  return {
    enlist,
    resign,
    async claim(partition) {
      const isKnown = owned.has(partition) && !doubts.has(partition);
      // When the answer is lost, nobody knows whether the lease was taken anew.
      const own = doubt(partition);
      const all = [keys.key(partition, "disp"), keys.key(partition, "touched")];
      const reply = await commands.runScript(CLAIM, all, [owner, leaseMs]);
      const claim = Array.isArray(reply) ? "mine" : CLAIMS.get(reply);
      if (claim === undefined) throw unexpected("result of a claim");
      if (Array.isArray(reply) && isKnown) onTouched(partition, reply.map(String));
      if (doubts.get(partition) === own) doubts.delete(partition);
      if (claim === "lost") owned.delete(partition);
      else owned.add(partition);
      return claim === "mine" && !isKnown ? "new" : claim;
    },
    async release(partition) {
      owned.delete(partition);
      const all = [keys.key(partition, "disp"), keys.wakeTopic(partition)];
      await commands.runScript(RELEASE, all, [owner, publishCommand]);
    },
    lost(partition) {
      owned.delete(partition);
      doubt(partition);
    },
    doubt,
    owns: (partition) => owned.has(partition),
    owned: () => [...owned].toSorted((a, b) => a - b),
  };
}

const CLAIMS: ReadonlyMap<unknown, Claim> = new Map([
  [0, "lost"],
  [1, "mine"],
  [2, "new"],
]);
