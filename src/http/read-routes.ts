/** `GET channels`, `GET channels/{name}` and `GET channels/{name}/users`. Source: protocol.md §6.5, §6.6. */
import type { App } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Channels } from "../channels/channels.ts";
import type { ApiQuery } from "../protocol/api-query.ts";
import { channelKind, channelNameProblem } from "../protocol/channel-name.ts";
import {
  countFields,
  countsJson,
  type InfoAttribute,
  infoProblem,
  readInfo,
  sharedInfoProblem,
} from "./channel-info.ts";
import { errorReply, okReply, type Reply } from "./reply.ts";
import { type Maybe, whenReady } from "./when-ready.ts";

export interface ReadParts {
  readonly channels: Pick<Channels, "cached">;
  readonly state: Pick<ChannelState, "channel" | "channels" | "users">;
}

const LIST_INFO: readonly InfoAttribute[] = ["user_count", "subscription_count"];
const CHANNEL_INFO: readonly InfoAttribute[] = ["user_count", "subscription_count", "cache"];

export function readChannels({ state }: ReadParts, app: App, query: ApiQuery): Maybe<Reply> {
  const wanted = readInfo(query.info, LIST_INFO);
  if (typeof wanted === "string") return errorReply(400, wanted);
  const prefix = query.filterByPrefix ?? "";
  if (wanted.has("user_count") && !prefix.startsWith("presence-")) {
    return errorReply(
      400,
      '"info" user_count is for presence channels only: filter_by_prefix must begin with presence-.',
    );
  }
  const problem = sharedInfoProblem(app, [prefix], wanted);
  if (problem !== undefined) return errorReply(400, problem);

  return whenReady(state.channels(app.id, prefix), (channels) => {
    const fields: string[] = [];
    for (const [channel, counts] of channels) {
      fields.push(`${JSON.stringify(channel)}:${countsJson(app, channel, counts, wanted)}`);
    }
    return okReply(`{"channels":{${fields.join(",")}}}`);
  });
}

export function readChannel(
  { channels, state }: ReadParts,
  app: App,
  channel: string,
  query: ApiQuery,
): Maybe<Reply> {
  const nameProblem = channelNameProblem(channel, app.settings.limits.maxChannelNameLength);
  if (nameProblem !== undefined) return errorReply(400, nameProblem);
  const wanted = readInfo(query.info, CHANNEL_INFO);
  if (typeof wanted === "string") return errorReply(400, wanted);
  for (const attribute of wanted) {
    const problem = infoProblem(app, channel, attribute);
    if (problem !== undefined) return errorReply(400, problem);
  }

  return whenReady(state.channel(app.id, channel), (counts) => {
    const fields = [`"occupied":${counts.subscriptions > 0}`];
    const count = countFields(app, channel, counts, wanted);
    if (count !== "") fields.push(count);
    if (!wanted.has("cache")) return okReply(`{${fields.join(",")}}`);
    return whenReady(channels.cached(app, channel), (entry) => {
      fields.push(`"cache":${cacheJson(entry)}`);
      return okReply(`{${fields.join(",")}}`);
    });
  });
}

/** The entry's remaining life in whole seconds; one about to end has 1 left, for 0 would say that it is gone. */
function cacheJson(entry: Awaited<ReturnType<Channels["cached"]>>): string {
  if (entry === undefined) return "null";
  return `{"data":${entry.dataJson},"ttl":${Math.ceil(entry.ttlMs / 1_000)}}`;
}

/** An unknown presence channel has no users and is no error. */
export function readUsers(
  { state }: ReadParts,
  app: App,
  channel: string,
  query: ApiQuery,
): Maybe<Reply> {
  const nameProblem = channelNameProblem(channel, app.settings.limits.maxChannelNameLength);
  if (nameProblem !== undefined) return errorReply(400, nameProblem);
  if (!channelKind(channel).hasMembers) {
    return errorReply(400, `${JSON.stringify(channel)} has no users: it is no presence channel.`);
  }
  const needsInfo = query.withUserInfo === "1" || query.withUserInfo === "true";
  return whenReady(state.users(app.id, channel), (members) => {
    const users: string[] = [];
    for (const [userId, userInfoJson] of members) {
      const id = `"id":${JSON.stringify(userId)}`;
      users.push(needsInfo ? `{${id},"user_info":${userInfoJson}}` : `{${id}}`);
    }
    return okReply(`{"users":[${users.join(",")}]}`);
  });
}
