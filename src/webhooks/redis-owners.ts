/**
 * Which partitions this node should dispatch, and its leases on them. Every dispatcher lists itself in one key;
 * who is wanted for a partition follows from that list alone, so all agree without talking. Source:
 * architecture.md §5, Who dispatches.
 */
import { createHash } from "node:crypto";
import type { Commands } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { RedisUnavailableError } from "../redis/redis-unavailable.ts";
import { loadScript } from "../redis/script.ts";
import type { Claim } from "./outbox.ts";
import { unexpected } from "./redis-entries.ts";

/** dispatchers */
const ENLIST = loadScript(new URL("./lua/enlist.lua", import.meta.url), 1);
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

export interface Owners {
  /** Lists this node; answers the partitions that it should own. While the list cannot be read, as before. */
  enlist(): Promise<readonly number[]>;
  /** Takes this node off the list. */
  resign(): Promise<void>;
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
  const dispatchersKey = keys.key(0, "dispatchers");
  const owned = new Set<number>();
  const doubtful = new Set<number>();
  let listed: string | undefined;
  let wanted: readonly number[] = [];

  async function dispatchers(): Promise<readonly string[] | undefined> {
    try {
      const reply = await commands.runScript(ENLIST, [dispatchersKey], [owner, leaseMs]);
      if (!Array.isArray(reply)) throw unexpected("list of dispatchers");
      return reply.map(String).toSorted();
    } catch (error) {
      // Partitions that lie elsewhere are still to be looked after.
      if (listed !== undefined && error instanceof RedisUnavailableError) return undefined;
      throw error;
    }
  }

  return {
    async enlist() {
      const names = await dispatchers();
      const list = names?.join("\n");
      if (names && list !== listed) {
        wanted = wantedPartitions(names, owner, keys.partitions);
        listed = list;
      }
      return wanted;
    },
    async resign() {
      await commands.call("ZREM", dispatchersKey, owner);
    },
    async claim(partition) {
      const isKnown = owned.has(partition) && !doubtful.has(partition);
      // When the answer is lost, nobody knows whether the lease was taken anew.
      doubtful.add(partition);
      const all = [keys.key(partition, "disp"), keys.key(partition, "touched")];
      const reply = await commands.runScript(CLAIM, all, [owner, leaseMs]);
      const claim = Array.isArray(reply) ? "mine" : CLAIMS.get(reply);
      if (claim === undefined) throw unexpected("result of a claim");
      if (Array.isArray(reply) && isKnown) onTouched(partition, reply.map(String));
      doubtful.delete(partition);
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
    },
    doubt(partition) {
      doubtful.add(partition);
    },
    owns: (partition) => owned.has(partition),
    owned: () => [...owned].toSorted((a, b) => a - b),
  };
}

const CLAIMS: ReadonlyMap<unknown, Claim> = new Map([
  [0, "lost"],
  [1, "mine"],
  [2, "new"],
]);

/**
 * The partitions for which `owner` weighs most among `dispatchers`. When one comes or goes, only the partitions
 * that it gains or had change hands.
 */
export function wantedPartitions(
  dispatchers: readonly string[],
  owner: string,
  partitions: number,
): readonly number[] {
  const wanted: number[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const own = weight(owner, partition);
    if (dispatchers.every((other) => other === owner || weight(other, partition) < own)) {
      wanted.push(partition);
    }
  }
  return wanted;
}

function weight(dispatcher: string, partition: number): number {
  return createHash("sha1").update(`${partition}:${dispatcher}`).digest().readUIntBE(0, 6);
}
