/** How steps are put into lua/write.lua and what it answers. Nobody else knows the positions. */
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { userEvent } from "../protocol/webhook-event.ts";
import type { Argument } from "../redis/commands.ts";
import type { Keys } from "../redis/keys.ts";
import { readScript, textsOf, unexpectedReply, withKeys } from "./redis-script.ts";
import type { RedisStateSettings, StateRedis } from "./redis-state-context.ts";
import type { Step } from "./redis-tracked-channel.ts";

const WRITE = readScript("write", 6);

/** A channel as keys need it. */
export interface ChannelName {
  readonly appId: string;
  readonly name: string;
  readonly isUser: boolean;
}

/** One step of one channel. */
export interface WriteStep {
  readonly channel: ChannelName;
  readonly step: Step;
}

export interface Write {
  readonly partition: number;
  /** The incarnation of the node. */
  readonly node: string;
  /** Grows by one with each write of the node in the partition, from 1; 0: reaping the node. */
  readonly seq: number;
  readonly steps: readonly WriteStep[];
}

/** What each step came to: a join the roster's version or `full`, a user's coming when it was told (µs). */
export type StepReply = number | "full" | undefined;

/**
 * `unregistered`: the node has no lease. `alive`: the node is not condemned, and not to be reaped. `lost`:
 * earlier writes of the node are not there. `stale`: a later write of the node is.
 */
export type WriteOutcome =
  | { readonly outcome: "ok"; readonly replies: readonly StepReply[] }
  | { readonly outcome: "unregistered" | "alive" | "lost" | "stale" };

/** Safe to send twice: a repeated write changes nothing. Rejects with RedisUnavailableError. */
export async function runWrite(
  { commands, keys, bus }: StateRedis,
  { leaveGraceMs, countWindowMs }: RedisStateSettings,
  write: Write,
): Promise<WriteOutcome> {
  const apps = new Map<string, number>();
  const channels = new Map<ChannelName, number>();
  const appKeys: string[] = [];
  const channelKeys: string[] = [];
  const channelArguments: Argument[] = [];
  const stepArguments: Argument[] = [];
  const { partition: p, node } = write;
  for (const { channel, step } of write.steps) {
    if (step.kind === "barrier") continue;
    let index = channels.get(channel);
    if (index === undefined) {
      let app = apps.get(channel.appId);
      if (app === undefined) {
        app = apps.size + 1;
        apps.set(channel.appId, app);
        appKeys.push(...keysOfApp(keys, p, channel.appId));
      }
      index = channels.size + 1;
      channels.set(channel, index);
      channelKeys.push(...keysOfChannel(keys, p, node, channel));
      channelArguments.push(app, channel.name);
    }
    stepArguments.push(...argumentsOf(step, index, channel));
  }
  const allKeys = [
    keys.key(p, "hb"),
    keys.key(p, "meta"),
    keys.key(p, "L", node),
    keys.key(p, "pend"),
    keys.key(p, "ev"),
    keys.wakeTopic(p),
    ...appKeys,
    ...channelKeys,
  ];
  const reply = await commands.runScript(withKeys(WRITE, allKeys.length), allKeys, [
    node,
    write.seq,
    leaveGraceMs,
    countWindowMs,
    bus.publishCommand,
    apps.size,
    channels.size,
    ...apps.keys(),
    ...channelArguments,
    ...stepArguments,
  ]);
  return outcomeOf(write, textsOf(WRITE, reply));
}

function keysOfApp(keys: Keys, p: number, appId: string): readonly string[] {
  return [
    keys.key(p, "i", appId),
    keys.key(p, "n", appId),
    keys.key(p, "un", appId),
    keys.key(p, "na", appId),
  ];
}

function keysOfChannel(
  keys: Keys,
  p: number,
  node: string,
  { appId, name, isUser }: ChannelName,
): readonly string[] {
  return [
    keys.key(p, "c", appId, name),
    keys.key(p, "pn", appId, node, name),
    keys.key(p, "pu", appId, name),
    keys.key(p, "pi", appId, name),
    isUser ? keys.watchTopic(appId, userIdOf(name)) : keys.topic(appId, name),
  ];
}

/** The user whose pseudo channel this is. */
export function userIdOf(name: string): string {
  return name.slice(USER_CHANNEL_PREFIX.length);
}

function argumentsOf(
  step: Exclude<Step, { kind: "barrier" }>,
  channel: number,
  { name, isUser }: ChannelName,
): Argument[] {
  switch (step.kind) {
    case "count":
      if (isUser) {
        const event = step.isAnnounced ? userEvent("user_online", userIdOf(name)).json : "";
        return ["u", channel, step.count, event, flag(step.isRestored)];
      }
      return ["n", channel, step.count, flag(step.isAnnounced), flag(step.isRestored)];
    case "join": {
      const { userId, userInfoJson, maxMembers } = step.user;
      const isLimited = Number.isFinite(maxMembers) && !step.isRestored;
      return [
        "j",
        channel,
        userId,
        JSON.stringify(userId),
        userInfoJson,
        isLimited ? maxMembers : 0,
        flag(step.isRestored),
      ];
    }
    case "leave":
      return ["l", channel, step.userId, JSON.stringify(step.userId), flag(step.isRestored)];
    case "record":
      return ["r", channel, step.event.type, step.event.json];
  }
}

function flag(isSet: boolean): 0 | 1 {
  return isSet ? 1 : 0;
}

function outcomeOf({ steps }: Write, [status, ...texts]: readonly string[]): WriteOutcome {
  switch (status) {
    case "OK":
      break;
    case "UNREGISTERED":
      return { outcome: "unregistered" };
    case "ALIVE":
      return { outcome: "alive" };
    case "LOST":
      return { outcome: "lost" };
    case "STALE":
      return { outcome: "stale" };
    default:
      throw unexpectedReply(WRITE, status);
  }
  let at = 0;
  const replies = steps.map(({ step }): StepReply => {
    if (step.kind === "barrier") return undefined;
    const text = texts[at++];
    if (text === undefined) throw unexpectedReply(WRITE, texts);
    if (step.kind === "join") return text === "" ? "full" : Number(text);
    return text === "" ? undefined : Number(text);
  });
  return { outcome: "ok", replies };
}
