/**
 * Guards of the bodies of `POST events` and `POST batch_events`. Source: protocol.md §6.2–§6.4.
 *
 * Written by hand since every publish passes here. What they yield has its parts encoded already: the data
 * string is escaped once, for all subscribers.
 */
import { channelKind, channelNameProblem } from "./channel-name.ts";
import { isDeeperThan, MAX_JSON_DEPTH } from "./json-depth.ts";
import { jsonString } from "./json-string.ts";
import { isSocketId } from "./socket-id.ts";
import { USER_CHANNEL_PREFIX } from "./topic.ts";
import { MAX_SIGNED_IN_USER_ID_LENGTH } from "./user-data.ts";

/** The limits that apply, as an app has them. Bytes are of UTF-8, lengths in characters. */
export interface PublishLimits {
  readonly maxChannelNameLength: number;
  readonly maxEventChannelsAtOnce: number;
  readonly maxEventNameLength: number;
  readonly maxEventPayloadBytes: number;
  readonly maxEventBatchSize: number;
}

/** One event as asked for. `dataJson` encodes a string; `channels` has no name twice and is never empty. */
export interface PublishCommand {
  readonly eventJson: string;
  readonly channels: readonly string[];
  readonly dataJson: string;
  readonly exceptSocketId: string | undefined;
  /** As sent, unchecked; undefined when absent or empty. */
  readonly info: string | undefined;
}

/** Why a body is refused: the HTTP status and a sentence for the caller. */
export interface BodyProblem {
  readonly status: 400 | 413;
  readonly message: string;
}

/** The event in the body of `POST events`, or what is wrong with it. `channels` wins over `channel`. */
export function readPublish(body: unknown, limits: PublishLimits): PublishCommand | BodyProblem {
  if (!isObject(body)) return bad(`The body is ${typeName(body)}, a JSON object is needed.`);
  return readEvent(body, limits, true);
}

/** The events of `POST batch_events` in order, or what is wrong with the first bad one. An empty batch is fine. */
export function readBatch(
  body: unknown,
  limits: PublishLimits,
): readonly PublishCommand[] | BodyProblem {
  if (!isObject(body)) return bad(`The body is ${typeName(body)}, a JSON object is needed.`);
  if (Object.hasOwn(body, "__proto__")) return bad('The body has a key "__proto__".');
  const { batch } = body;
  if (!Array.isArray(batch)) {
    return bad(`"batch" is ${typeName(batch)}, an array of events is needed.`);
  }
  if (batch.length > limits.maxEventBatchSize) {
    return bad(`"batch" has ${batch.length} events, ${limits.maxEventBatchSize} are allowed.`);
  }
  const commands: PublishCommand[] = [];
  for (const event of batch) {
    const command = isObject(event)
      ? readEvent(event, limits, false)
      : bad(`${typeName(event)}, a JSON object is needed.`);
    if ("status" in command) {
      return { status: command.status, message: `batch[${commands.length}]: ${command.message}` };
    }
    commands.push(command);
  }
  return commands;
}

/** `takesMany`: `channels` is read too. */
function readEvent(
  body: Readonly<Record<string, unknown>>,
  limits: PublishLimits,
  takesMany: boolean,
): PublishCommand | BodyProblem {
  if (Object.hasOwn(body, "__proto__")) return bad('The event has a key "__proto__".');
  const { name, channel, channels, data, socket_id, info } = body;

  if (typeof name !== "string") return bad(`"name" is ${typeName(name)}, a string is needed.`);
  const nameProblem = eventNameProblem(name, limits.maxEventNameLength);
  if (nameProblem !== undefined) return bad(nameProblem);

  const isList = takesMany && channels !== undefined && channels !== null;
  const names = isList ? readChannels(channels, limits) : readChannel(channel, limits);
  if (typeof names === "string") return bad(names);

  const text = readData(data, limits.maxEventPayloadBytes);
  if (typeof text !== "string") return text;

  if (socket_id !== undefined && socket_id !== null && !isSocketId(socket_id)) {
    return bad(`"socket_id" is ${quoted(socket_id)}, two numbers with a dot between are needed.`);
  }
  if (info !== undefined && info !== null && typeof info !== "string") {
    return bad(`"info" is ${typeName(info)}, a string is needed.`);
  }
  return {
    eventJson: jsonString(name),
    channels: names,
    dataJson: jsonString(text),
    exceptSocketId: isSocketId(socket_id) ? socket_id : undefined,
    info: info === "" || info === null ? undefined : info,
  };
}

function eventNameProblem(name: string, maxLength: number): string | undefined {
  if (name === "") return '"name" is empty.';
  if (name.length > maxLength) {
    return `"name" has ${name.length} characters, ${maxLength} are allowed.`;
  }
  if (name.startsWith("pusher:") || name.startsWith("pusher_internal:")) {
    return `"name" is ${quoted(name)}: names that begin with pusher: or pusher_internal: belong to the server.`;
  }
  return undefined;
}

function readChannel(channel: unknown, limits: PublishLimits): readonly string[] | string {
  if (typeof channel !== "string") return `"channel" is ${typeName(channel)}, a string is needed.`;
  return publishChannelProblem(channel, limits.maxChannelNameLength) ?? [channel];
}

function readChannels(channels: unknown, limits: PublishLimits): readonly string[] | string {
  if (!Array.isArray(channels)) {
    return `"channels" is ${typeName(channels)}, an array of strings is needed.`;
  }
  const max = limits.maxEventChannelsAtOnce;
  if (channels.length < 1 || channels.length > max) {
    return `"channels" has ${channels.length} names, 1 to ${max} are allowed.`;
  }
  let hasEncrypted = false;
  for (const [index, channel] of channels.entries()) {
    if (typeof channel !== "string") {
      return `"channels[${index}]" is ${typeName(channel)}, a string is needed.`;
    }
    const problem = publishChannelProblem(channel, limits.maxChannelNameLength);
    if (problem !== undefined) return problem;
    hasEncrypted ||= channelKind(channel).isEncrypted;
  }
  const names: readonly string[] = channels.length === 1 ? channels : [...new Set(channels)];
  if (hasEncrypted && names.length > 1) {
    return `"channels" has ${names.length} names, one of them encrypted: its data is sealed for that channel alone, so publish to it alone.`;
  }
  return names;
}

/** As for any channel, but events may go to a user (§4.2). */
function publishChannelProblem(channel: string, maxLength: number): string | undefined {
  if (!channel.startsWith(USER_CHANNEL_PREFIX)) return channelNameProblem(channel, maxLength);
  const idLength = channel.length - USER_CHANNEL_PREFIX.length;
  if (idLength >= 1 && idLength <= MAX_SIGNED_IN_USER_ID_LENGTH) return undefined;
  return `The user id in a channel name that begins "${USER_CHANNEL_PREFIX}" has ${idLength} characters, 1 to ${MAX_SIGNED_IN_USER_ID_LENGTH} are allowed.`;
}

/** The data as the string that subscribers get; whatever is no string is written as JSON. */
function readData(data: unknown, maxBytes: number): string | BodyProblem {
  if (data === undefined) return bad('"data" is missing, a string is needed.');
  if (isDeeperThan(data)) {
    return bad(`"data" is nested deeper than the ${MAX_JSON_DEPTH} levels that are allowed.`);
  }
  const text = typeof data === "string" ? data : JSON.stringify(data);
  // UTF-8 takes at most three bytes for each unit of a JavaScript string: short data needs no counting.
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return text;
  return { status: 413, message: `"data" has ${bytes} bytes, ${maxBytes} are allowed.` };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(message: string): BodyProblem {
  return { status: 400, message };
}

/** What was found, for a sentence: its type and never its content. */
function typeName(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
}

function quoted(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 64)) : typeName(value);
}
