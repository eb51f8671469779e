/** Whether a publish that nobody on another node wants costs more than one PUBLISH, by Redis' own count. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisServer } from "../../test/support/redis-server.ts";
import { postEvents } from "../scenarios/posts.ts";
import { type Nodes, openNodes } from "./nodes.ts";
import type { SideOptions } from "./sides.ts";

export interface QuietNode {
  /** Events that were published by signed POSTs on one node, each to a subscriber there. */
  readonly events: number;
  /** PUBLISH commands that Redis has run meanwhile. */
  readonly publishes: number;
  /** All other commands meanwhile, and as many as may come in that time when nothing happens. */
  readonly otherCommands: number;
  readonly idleCommands: number;
  /** Messages given to Redis by the publishing node, and what the other one has received. */
  readonly sent: number;
  readonly receivedByOther: number;
}

/** Probes of connections: one in 10 s for each node. */
const MOST_PROBES = 10;
/** Nodes renew their leases so often, which makes nearly all commands of an idle cluster: any time has one burst more. */
const LEASE_S = 5;
const IDLE_MS = LEASE_S * 1_000;

export async function countQuietNode(
  options: SideOptions,
  redis: RedisServer,
  scale: number,
): Promise<QuietNode> {
  const nodes = await openNodes(options, redis, "quiet:");
  try {
    const load = await postEvents.open(nodes.publishing.endpoint, scale);
    const idle = await countsDuring(nodes, () => delay(IDLE_MS));
    let events = 0;
    const busy = await countsDuring(nodes, async () => {
      events = (await load.round()).units;
    });
    load.close();
    return {
      events,
      publishes: busy.publishes,
      otherCommands: busy.others,
      idleCommands: Math.ceil((idle.others * (busy.seconds + LEASE_S)) / idle.seconds),
      sent: busy.sent,
      receivedByOther: busy.receivedByOther,
    };
  } finally {
    await nodes.close();
  }
}

/** One sentence each, or none. */
export function quietNodeProblems(counted: QuietNode): readonly string[] {
  const { events, publishes, otherCommands, idleCommands, sent, receivedByOther } = counted;
  const problems: string[] = [];
  if (publishes < events || publishes > events + MOST_PROBES) {
    problems.push(`${events} events were ${publishes} PUBLISH commands`);
  }
  if (sent < events || sent > events + MOST_PROBES) {
    problems.push(`${events} events were ${sent} messages of the node`);
  }
  if (otherCommands > idleCommands + MOST_PROBES) {
    problems.push(`${events} events came with ${otherCommands} other commands`);
  }
  if (receivedByOther > MOST_PROBES) {
    problems.push(`the other node has received ${receivedByOther} messages of ${events}`);
  }
  return problems;
}

export function quietNodeText(counted: QuietNode): string {
  const { events, publishes, otherCommands, idleCommands, receivedByOther } = counted;
  return (
    `${events} events with their subscribers on the publishing node were ${publishes} PUBLISH commands, probes of ` +
    `connections included, and ${otherCommands} others, where up to ${idleCommands} are sent in that time anyway; the ` +
    `other node received ${receivedByOther} messages.`
  );
}

interface Counts {
  readonly seconds: number;
  readonly publishes: number;
  readonly others: number;
  readonly sent: number;
  readonly receivedByOther: number;
}

async function countsDuring(nodes: Nodes, run: () => Promise<void>): Promise<Counts> {
  const before = await countsOf(nodes);
  const startedMs = performance.now();
  await run();
  const seconds = (performance.now() - startedMs) / 1_000;
  const after = await countsOf(nodes);
  return {
    seconds,
    publishes: after.publishes - before.publishes,
    others: after.others - before.others,
    sent: after.sent - before.sent,
    receivedByOther: after.receivedByOther - before.receivedByOther,
  };
}

async function countsOf({ redis, publishing, other }: Nodes): Promise<Omit<Counts, "seconds">> {
  const calls = await commandCalls(redis);
  let others = 0;
  for (const [command, count] of calls) if (command !== "publish") others += count;
  return {
    publishes: calls.get("publish") ?? 0,
    others,
    sent: await publishing.metric("node_messages_published_total"),
    receivedByOther: await other.metric("node_messages_received_total"),
  };
}

/** How often each command was run so far, those of scripts included. */
async function commandCalls(redis: RedisServer): Promise<ReadonlyMap<string, number>> {
  const text = String(await redis.call("INFO", "commandstats"));
  const lines = text.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  return new Map([...lines].map(([, command = "", count]) => [command, Number(count)]));
}
