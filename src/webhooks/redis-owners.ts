/** This node's leases on the partitions that it dispatches. Source: architecture.md §5, Who dispatches. */
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { loadScript } from "../redis/script.ts";
import type { Claim } from "./outbox.ts";
import { createDispatchers, type Dispatchers } from "./redis-dispatchers.ts";
import { unexpected } from "./redis-entries.ts";

/** lease, touched, losses */
const CLAIM = loadScript(new URL("./lua/claim.lua", import.meta.url), 3);
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
  /** What was given up in a partition that is this node's, see redis-losses.ts. */
  readonly onLosses: (partition: number, hash: readonly string[]) => void;
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
  const { commands, keys, owner, leaseMs, publishCommand, onTouched, onLosses } = parts;
  const owned = new Set<number>();
  /** By partition, while it is in doubt: the newest reason. A claim ends only doubts that are older than itself. */
  const doubts = new Map<number, Doubt>();
  const isCluster = publishCommand === "SPUBLISH";
  const { enlist, resign } = createDispatchers({ commands, keys, owner, leaseMs, isCluster });

  function doubt(partition: number): void {
    doubts.set(partition, { isGone: doubts.get(partition)?.isGone ?? false });
  }

  return {
    enlist,
    resign,
    async claim(partition) {
      const isKnown = owned.has(partition) && !doubts.has(partition);
      // When the answer is lost, nobody knows whether the lease was taken anew.
      const own = { isGone: false };
      doubts.set(partition, own);
      const all = ["disp", "touched", "losses"].map((name) => keys.key(partition, name));
      const reply = readClaim(await commands.runScript(CLAIM, all, [owner, leaseMs]));
      const newest = doubts.get(partition);
      if (newest === own) doubts.delete(partition);
      const claim = newest?.isGone ? "lost" : reply.claim;
      if (claim !== "lost" && reply.losses.length > 0) onLosses(partition, reply.losses);
      if (isKnown && reply.touched.length > 0) onTouched(partition, reply.touched);
      if (claim === "lost") owned.delete(partition);
      else owned.add(partition);
      return claim === "mine" && !isKnown ? "new" : claim;
    },
    async release(partition) {
      owned.delete(partition);
      // What a claim that is under way will answer is over by then.
      doubts.set(partition, { isGone: true });
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

/** Why the next claim is a new one. */
interface Doubt {
  /** The partition was given back. */
  readonly isGone: boolean;
}

/** What claim.lua answers: a number, or the touched lanes of what was kept, or all three parts. */
function readClaim(reply: unknown) {
  const list: readonly unknown[] = Array.isArray(reply) ? reply : [reply];
  const [number, touched, losses] = typeof list[0] === "number" ? list : [1, list];
  const claim = CLAIMS.get(number);
  if (claim === undefined) throw unexpected("result of a claim");
  return { claim, touched: texts(touched), losses: texts(losses) };
}

function texts(list: unknown): readonly string[] {
  return Array.isArray(list) ? list.map(String) : [];
}

const CLAIMS: ReadonlyMap<unknown, Claim> = new Map([
  [0, "lost"],
  [1, "mine"],
  [2, "new"],
]);
