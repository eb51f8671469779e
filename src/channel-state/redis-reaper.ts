/**
 * Cleans up after a node that is gone: fences it, takes away what it holds through the script by which it
 * wrote it, so that each transition is decided once, and forgets it. Any node may do it, several at once too.
 */

import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { bury, condemn } from "./redis-lease.ts";
import type { StateContext } from "./redis-state-context.ts";
import { type ChannelName, runWrite, type WriteStep } from "./redis-write.ts";

/** Channels that are looked at in one round, more or less. */
const CHANNELS_AT_ONCE = 64;

/** What could not be taken away: it stays, the node is not forgotten, and whoever notices it next tries again. */
export class ReapError extends Error {
  override readonly name = "ReapError";
  constructor(channels: number, cause: unknown) {
    super(`A node that is gone could not be taken out of ${channels} channels.`, { cause });
  }
}

/**
 * Rejects with RedisUnavailableError, or with ReapError once it has done what it could: whoever notices the
 * node next goes on.
 */
export async function reap(context: StateContext, partition: number, node: string): Promise<void> {
  const { redis, counters, log } = context;
  const { commands, keys } = redis;
  if (!(await condemn(redis, partition, node))) return;
  const failed = new Map<string, unknown>();
  let cursor = "0";
  do {
    // Not from the head: what cannot be taken away stays there, and must not hide the rest.
    const page = await commands.call(
      "SSCAN",
      keys.key(partition, "L", node),
      cursor,
      "COUNT",
      CHANNELS_AT_ONCE,
    );
    const [next, ledger] = readPage(page);
    const outcome = await reapChannels(context, partition, node, ledger);
    if (outcome === "alive") return;
    for (const [entry, error] of outcome) failed.set(entry, error);
    counters.channelsReaped += ledger.length - outcome.size;
    cursor = next;
  } while (cursor !== "0");
  if (failed.size > 0) {
    counters.reapFailures += failed.size;
    throw new ReapError(failed.size, [...failed.values()].at(-1));
  }
  if (!(await bury(redis, partition, node))) return;
  counters.nodesReaped += 1;
  log.info({ partition, node }, "cleaned up after a node that is gone");
}

function readPage(page: unknown): readonly [cursor: string, ledger: readonly string[]] {
  const [cursor, entries] = Array.isArray(page) ? page : [];
  return [String(cursor ?? "0"), Array.isArray(entries) ? entries.map(String) : []];
}

/** Entries of the ledger that could not be taken away, and why; `alive`: it is not to be reaped any more. */
async function reapChannels(
  context: StateContext,
  partition: number,
  node: string,
  ledger: readonly string[],
): Promise<ReadonlyMap<string, unknown> | "alive"> {
  const failed = new Map<string, unknown>();
  const channels: { readonly entry: string; readonly steps: readonly WriteStep[] }[] = [];
  const found = await Promise.allSettled(
    ledger.map((entry) => stepsFor(context, partition, node, entry)),
  );
  for (const [i, result] of found.entries()) {
    const entry = ledger[i] ?? "";
    if (result.status === "fulfilled") channels.push({ entry, steps: result.value });
    else failed.set(entry, result.reason);
  }
  const takeAway = (steps: readonly WriteStep[]) => writeAll(context, partition, node, steps);
  try {
    if (!(await takeAway(channels.flatMap(({ steps }) => steps)))) return "alive";
  } catch {
    // One of them at least: each by itself. What has been taken away already is not taken away twice.
    for (const { entry, steps } of channels) {
      try {
        if (!(await takeAway(steps))) return "alive";
      } catch (error) {
        failed.set(entry, error);
      }
    }
  }
  return failed;
}

/** False when the node is not to be reaped any more: somebody else has buried it, or it is alive after all. */
async function writeAll(
  { redis, settings }: StateContext,
  partition: number,
  node: string,
  all: readonly WriteStep[],
): Promise<boolean> {
  for (let first = 0; first < all.length; first += settings.maxSteps) {
    const steps = all.slice(first, first + settings.maxSteps);
    const written = await runWrite(redis, settings, { partition, node, seq: 0, steps });
    if (written.outcome !== "ok") return false;
  }
  return true;
}

/** Members before their channel. */
async function stepsFor(
  { redis }: StateContext,
  partition: number,
  node: string,
  entry: string,
): Promise<readonly WriteStep[]> {
  const at = entry.indexOf("\0");
  const appId = entry.slice(0, at);
  const name = entry.slice(at + 1);
  const channel: ChannelName = { appId, name, isUser: name.startsWith(USER_CHANNEL_PREFIX) };
  const key = redis.keys.key(partition, "pn", appId, node, name);
  const users = await redis.commands.call("SMEMBERS", key);
  const userIds = Array.isArray(users) ? users.map((userId) => String(userId)) : [];
  return [
    ...userIds.map(
      (userId): WriteStep => ({ channel, step: { kind: "leave", userId, isRestored: false } }),
    ),
    { channel, step: { kind: "count", count: 0, isAnnounced: false, isRestored: false } },
  ];
}
