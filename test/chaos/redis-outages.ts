/** Ways in which a Redis goes down, besides those that test/support knows. */
import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Redis } from "ioredis";
import { MASTER_NAME, startSentinel } from "../support/redis-sentinel.ts";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { AOF } from "./stage.ts";

export interface PowerCut {
  /** Ends Redis and takes from its file what came in the last `lostMs`; resolves with when that began, epoch ms. */
  strike(lostMs: number): Promise<number>;
}

const SAMPLE_EVERY_MS = 10;
const DOWN_AFTER_MS = 3_000;

/**
 * A power cut, for a file that is synced every second: what was written after the last sync is gone. Watches how
 * the file grows from now on.
 */
export async function awaitPowerCut(t: TestContext, redis: RedisServer): Promise<PowerCut> {
  const [, folder] = (await redis.call("CONFIG", "GET", "dir")) as [string, string];
  const [, subfolder] = (await redis.call("CONFIG", "GET", "appenddirname")) as [string, string];
  const directory = join(folder, subfolder);
  const name = readdirSync(directory).find((file) => file.endsWith(".incr.aof"));
  if (name === undefined) throw new Error(`There is no .incr.aof in ${directory}.`);
  const file = join(directory, name);
  const samples: { readonly atMs: number; readonly bytes: number }[] = [];
  const sampling = setInterval(() => {
    samples.push({ atMs: Date.now(), bytes: statSync(file).size });
  }, SAMPLE_EVERY_MS);
  t.after(() => clearInterval(sampling));
  return {
    async strike(lostMs) {
      clearInterval(sampling);
      const endMs = Date.now();
      await redis.stop("SIGKILL");
      const kept = samples.findLast(({ atMs }) => atMs <= endMs - lostMs);
      if (kept === undefined) throw new Error(`It was watched for less than ${lostMs} ms.`);
      truncateSync(file, kept.bytes);
      return kept.atMs;
    },
  };
}

export interface Failover {
  /** For the nodes. */
  readonly redis: { readonly sentinels: string[]; readonly master_name: string };
  /** Kills the master and waits until the replica has taken over. */
  strike(): Promise<void>;
}

/** A master, its replica, and a sentinel that watches them. */
export async function startReplicated(t: TestContext): Promise<Failover> {
  const master = await startRedis(t, { args: AOF });
  const following = ["--replicaof", "127.0.0.1", `${master.port}`];
  const replica = await startRedis(t, { args: [...AOF, ...following] });
  const sentinel = await startSentinel(t, master);
  const client = new Redis(sentinel.port);
  // On a busy machine it would else take a Redis that is slow to answer for dead, and fail over twice.
  const patience = ["down-after-milliseconds", `${DOWN_AFTER_MS}`];
  await client.call("SENTINEL", "SET", MASTER_NAME, ...patience);
  client.disconnect();
  return {
    redis: { sentinels: [`127.0.0.1:${sentinel.port}`], master_name: MASTER_NAME },
    async strike() {
      await master.stop("SIGKILL");
      await until(
        "the replica is the master",
        async () => (await sentinel.masterPort()) === replica.port,
        30_000,
      );
    },
  };
}
