/** The `info` parameter: what a caller wants to know of channels. Source: protocol.md §6.3–§6.6. */
import type { App } from "../apps/app.ts";
import type { ChannelCounts, ChannelState } from "../channel-state/channel-state.ts";
import { channelKind } from "../protocol/channel-name.ts";
import { quoted } from "./reply.ts";
import { type Maybe, whenReady } from "./when-ready.ts";

export type InfoAttribute = "user_count" | "subscription_count" | "cache";

/** No attribute at all. */
export const NO_INFO: ReadonlySet<InfoAttribute> = new Set();

/** The attributes named in `info`, or a sentence about the first that is not among `known`. Empty is none. */
export function readInfo(
  info: string | undefined,
  known: readonly InfoAttribute[],
): ReadonlySet<InfoAttribute> | string {
  if (info === undefined || info === "") return NO_INFO;
  const wanted = new Set<InfoAttribute>();
  for (const part of info.split(",")) {
    const name = part.trim();
    if (name === "") continue;
    const attribute = known.find((candidate) => candidate === name);
    if (attribute === undefined) {
      return `"info" names ${quoted(name)}, ${known.join(" and ")} are known here.`;
    }
    wanted.add(attribute);
  }
  return wanted;
}

/** Why `attribute` says nothing about the channel, or undefined when it does say something. */
export function infoProblem(
  app: App,
  channel: string,
  attribute: InfoAttribute,
): string | undefined {
  const kind = channelKind(channel);
  switch (attribute) {
    case "user_count":
      return kind.hasMembers ? undefined : '"info" user_count is for presence channels only.';
    case "subscription_count":
      return subscriptionCountProblem(app, kind.hasMembers || channel.startsWith("#"));
    case "cache":
      return kind.isCached ? undefined : '"info" cache is for cache channels only.';
  }
}

function subscriptionCountProblem(app: App, isElsewhere: boolean): string | undefined {
  if (!app.settings.features.subscriptionCount) {
    return '"info" subscription_count needs the app\'s enable_subscription_count.';
  }
  return isElsewhere
    ? '"info" subscription_count is for channels other than presence channels.'
    : undefined;
}

/**
 * Why the request for several channels is refused: an attribute that applies to none of them. One that
 * applies to some is told for those.
 */
export function sharedInfoProblem(
  app: App,
  channels: readonly string[],
  wanted: ReadonlySet<InfoAttribute>,
): string | undefined {
  for (const attribute of wanted) {
    const problems = channels.map((channel) => infoProblem(app, channel, attribute));
    if (problems.every((problem) => problem !== undefined)) return problems[0];
  }
  return undefined;
}

/** `{"user_count":…}` of one channel as JSON, with the wanted attributes that apply to it. */
export function countsJson(
  app: App,
  channel: string,
  counts: ChannelCounts,
  wanted: ReadonlySet<InfoAttribute>,
): string {
  return `{${countFields(app, channel, counts, wanted)}}`;
}

/** The fields alone, without braces, for objects that have more. */
export function countFields(
  app: App,
  channel: string,
  counts: ChannelCounts,
  wanted: ReadonlySet<InfoAttribute>,
): string {
  if (wanted.has("user_count") && infoProblem(app, channel, "user_count") === undefined) {
    return `"user_count":${counts.users}`;
  }
  if (
    wanted.has("subscription_count") &&
    infoProblem(app, channel, "subscription_count") === undefined
  ) {
    return `"subscription_count":${counts.subscriptions}`;
  }
  return "";
}

/** As {@link countsJson}, asking the state only where there is something to tell. */
export function channelInfoJson(
  app: App,
  state: Pick<ChannelState, "channel">,
  channel: string,
  wanted: ReadonlySet<InfoAttribute>,
): Maybe<string> {
  const needsCounts = [...wanted].some(
    (attribute) => infoProblem(app, channel, attribute) === undefined,
  );
  if (!needsCounts) return "{}";
  return whenReady(state.channel(app.id, channel), (counts) =>
    countsJson(app, channel, counts, wanted),
  );
}
