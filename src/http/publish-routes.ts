/** `POST events` and `POST batch_events`. Source: protocol.md §6.3, §6.4. */
import type { App } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Channels } from "../channels/channels.ts";
import { type PublishCommand, readBatch, readPublish } from "../protocol/publish-body.ts";
import type { ApiRates } from "./api-rates.ts";
import {
  channelInfoJson,
  type InfoAttribute,
  readInfo,
  sharedInfoProblem,
} from "./channel-info.ts";
import { EMPTY_REPLY, errorReply, okReply, type Reply } from "./reply.ts";
import { allReady, type Maybe, whenReady } from "./when-ready.ts";

export interface PublishParts {
  readonly channels: Pick<Channels, "publish">;
  readonly state: Pick<ChannelState, "channel">;
  readonly rates: ApiRates;
}

const PUBLISH_INFO: readonly InfoAttribute[] = ["user_count", "subscription_count"];

/** `body` is what JSON.parse gave. */
export function publishOne(parts: PublishParts, app: App, body: unknown): Maybe<Reply> {
  const command = readPublish(body, app.settings.limits);
  if ("status" in command) return errorReply(command.status, command.message);
  if (command.info === undefined) return publish(parts, app, [command], () => EMPTY_REPLY);

  const wanted = readPublishInfo(app, command);
  if (typeof wanted === "string") return errorReply(400, wanted);
  return publish(parts, app, [command], () =>
    whenReady(channelsJson(parts, app, command.channels, wanted), okReply),
  );
}

/** Everything is checked before anything is sent. */
export function publishBatch(parts: PublishParts, app: App, body: unknown): Maybe<Reply> {
  const commands = readBatch(body, app.settings.limits);
  if ("status" in commands) return errorReply(commands.status, commands.message);
  if (commands.every(({ info }) => info === undefined)) {
    return publish(parts, app, commands, () => EMPTY_REPLY);
  }

  const wantedByIndex: ReadonlySet<InfoAttribute>[] = [];
  for (const [index, command] of commands.entries()) {
    const wanted = readPublishInfo(app, command);
    if (typeof wanted === "string") return errorReply(400, `batch[${index}]: ${wanted}`);
    wantedByIndex.push(wanted);
  }
  return publish(parts, app, commands, () => {
    const infos = commands.map(({ channels: [channel] }, index) => {
      const wanted = wantedByIndex[index];
      if (channel === undefined || wanted === undefined) return "{}";
      return channelInfoJson(app, parts.state, channel, wanted);
    });
    return whenReady(allReady(infos), (items) => okReply(`{"batch":[${items.join(",")}]}`));
  });
}

function publish(
  { channels, rates }: PublishParts,
  app: App,
  commands: readonly PublishCommand[],
  reply: () => Maybe<Reply>,
): Maybe<Reply> {
  let points = 0;
  for (const command of commands) points += command.channels.length;
  const refusal = rates.takePublish(app, points);
  if (refusal !== undefined) return refusal;
  return whenReady(channels.publish(app, commands), reply);
}

function readPublishInfo(app: App, command: PublishCommand): ReadonlySet<InfoAttribute> | string {
  const wanted = readInfo(command.info, PUBLISH_INFO);
  if (typeof wanted === "string") return wanted;
  return sharedInfoProblem(app, command.channels, wanted) ?? wanted;
}

function channelsJson(
  { state }: PublishParts,
  app: App,
  channels: readonly string[],
  wanted: ReadonlySet<InfoAttribute>,
): Maybe<string> {
  const infos = channels.map((channel) => channelInfoJson(app, state, channel, wanted));
  return whenReady(allReady(infos), (items) => {
    const fields = items.map((item, index) => `${JSON.stringify(channels[index])}:${item}`);
    return `{"channels":{${fields.join(",")}}}`;
  });
}
