/** A node's lease of one partition: lua/register, heartbeat, condemn, bury and release. */
import { readScript, textsOf, unexpectedReply } from "./redis-script.ts";
import type { RedisStateSettings, StateRedis } from "./redis-state-context.ts";

const REGISTER = readScript("register", 2);
const HEARTBEAT = readScript("heartbeat", 2);
const CONDEMN = readScript("condemn", 1);
const BURY = readScript("bury", 3);
const RELEASE = readScript("release", 3);

export interface Registration {
  /** ms of Redis TIME when the partition's data began. */
  readonly epoch: number;
  /** The highest write of the incarnation before; undefined when nothing is known of it. */
  readonly seqBefore: number | undefined;
  /** For so long whoever comes is not told of yet, ms; 0 unless Redis has just lost the state. */
  readonly arrivalsWaitMs: number;
}

/** What a node knows when it registers. */
export interface Remembered {
  /** The incarnation that it had before. */
  readonly nodeBefore: string | undefined;
  readonly epoch: number | undefined;
  /** It has found writes of its own lost. */
  readonly hasLostWrites: boolean;
  /**
   * For how long others may come who have lost the state, ms, should the data begin now: for a node that
   * remembers no epoch, see redis-peers.ts.
   */
  readonly returnMs: number;
}

const NOTHING: Remembered = {
  nodeBefore: undefined,
  epoch: undefined,
  hasLostWrites: false,
  returnMs: 0,
};

/** `condemned`: an incarnation of this name was taken for dead, take another one. Safe to send twice. */
export async function register(
  { commands, keys }: StateRedis,
  { leaseMs, restoreMs }: RedisStateSettings,
  p: number,
  node: string,
  remembered: Remembered = NOTHING,
): Promise<Registration | "condemned"> {
  const { nodeBefore, epoch: epochBefore, hasLostWrites, returnMs } = remembered;
  const its = [keys.key(p, "hb"), keys.key(p, "meta")];
  const reply = await commands.runScript(REGISTER, its, [
    node,
    nodeBefore ?? "",
    leaseMs,
    epochBefore ?? 0,
    restoreMs,
    hasLostWrites ? 1 : 0,
    returnMs,
  ]);
  const [status, epoch, seqBefore, , arrivalsWaitMs] = textsOf(REGISTER, reply);
  if (status === "CONDEMNED") return "condemned";
  if (status !== "OK") throw unexpectedReply(REGISTER, status);
  return {
    epoch: Number(epoch),
    seqBefore: seqBefore === "-1" ? undefined : Number(seqBefore),
    arrivalsWaitMs: Number(arrivalsWaitMs),
  };
}

/** Incarnations that one heartbeat tells of. */
export const MAX_ENDED = 16;

export interface Heartbeat {
  readonly highestSeq: number;
  readonly epoch: number;
  /** Incarnations whose lease has run out: at most {@link MAX_ENDED}. */
  readonly ended: readonly string[];
}

/** `turn`: another whole number each time, so that all ended incarnations are told of in time. */
export async function heartbeat(
  { commands, keys }: StateRedis,
  { leaseMs }: RedisStateSettings,
  p: number,
  node: string,
  turn = 0,
): Promise<Heartbeat | "unregistered"> {
  const [status, highestSeq, epoch, ...ended] = textsOf(
    HEARTBEAT,
    await commands.runScript(
      HEARTBEAT,
      [keys.key(p, "hb"), keys.key(p, "meta")],
      [node, leaseMs, turn],
    ),
  );
  if (status === "UNREGISTERED") return "unregistered";
  if (status !== "OK") throw unexpectedReply(HEARTBEAT, status);
  return { highestSeq: Number(highestSeq), epoch: Number(epoch), ended };
}

/** Fences a node whose lease has run out; true when it is to be reaped, whoever has fenced it. */
export async function condemn(
  { commands, keys }: StateRedis,
  p: number,
  node: string,
): Promise<boolean> {
  return isDone(CONDEMN, await commands.runScript(CONDEMN, [keys.key(p, "hb")], [node]));
}

/** Forgets a condemned node that holds nothing any more; true when this call did it. */
export async function bury(
  { commands, keys }: StateRedis,
  p: number,
  node: string,
): Promise<boolean> {
  const its = [keys.key(p, "hb"), keys.key(p, "meta"), keys.key(p, "L", node)];
  return isDone(BURY, await commands.runScript(BURY, its, [node]));
}

/** Gives a lease back; false when the node still holds something, or has no lease. */
export async function release(
  { commands, keys }: StateRedis,
  p: number,
  node: string,
): Promise<boolean> {
  const its = [keys.key(p, "hb"), keys.key(p, "meta"), keys.key(p, "L", node)];
  return isDone(RELEASE, await commands.runScript(RELEASE, its, [node]));
}

function isDone(script: Parameters<typeof unexpectedReply>[0], reply: unknown): boolean {
  if (reply === 1 || reply === 0) return reply === 1;
  throw unexpectedReply(script, reply);
}
