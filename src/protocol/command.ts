/**
 * What a client can say, read from a text frame by hand-written guards. Source: protocol.md §1.7, §2.2, §3, §4.1.
 *
 * A reader gives the value, or a sentence for the developer at the other end. `data` of a command may be an
 * object or a JSON string of one, since some clients encode twice.
 */

/** A frame that is well formed. `data` is still unknown: each command has its own guard. */
export interface ClientFrame {
  readonly event: string;
  readonly channel: string | undefined;
  readonly data: unknown;
}

export interface SubscribeCommand {
  readonly channel: string;
  /** Empty when absent: public channels send it empty. */
  readonly auth: string;
  /** As received, since the signature covers the exact string; undefined when absent, null or empty. */
  readonly channelData: string | undefined;
}

export interface SignInCommand {
  readonly auth: string;
  /** As received, since it is signed and echoed to the byte. */
  readonly userData: string;
}

/** What libraries send to join a channel without channel_data. Nothing in it is escaped. */
const PLAIN_SUBSCRIBE =
  /^\{"event":"pusher:subscribe","data":\{(?:"auth":"([ !#-[\]-\uffff]*)","channel":"([ !#-[\]-\uffff]*)"|"channel":"([ !#-[\]-\uffff]*)","auth":"([ !#-[\]-\uffff]*)")\}\}$/;

/**
 * The subscribe command in `text` where it is written as libraries write it, else undefined: then {@link readFrame}
 * and {@link readSubscribe} tell. 0.10 against 0.36 µs, and 0.01 µs for every other frame.
 */
export function readPlainSubscribe(text: string): SubscribeCommand | undefined {
  const found = PLAIN_SUBSCRIBE.exec(text);
  if (found === null) return undefined;
  return {
    channel: found[2] ?? found[3] ?? "",
    auth: found[1] ?? found[4] ?? "",
    channelData: undefined,
  };
}

/** The frame in `text`, or what is wrong with it. */
export function readFrame(text: string): ClientFrame | string {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return "The message is not valid JSON.";
  }
  if (typeof frame !== "object" || frame === null || Array.isArray(frame)) {
    return "The message must be a JSON object with an event name.";
  }
  const { event, channel, data } = frame as Record<string, unknown>;
  if (typeof event !== "string" || event === "") {
    return 'The message needs "event", a non-empty string.';
  }
  return { event, channel: typeof channel === "string" ? channel : undefined, data };
}

/** The subscribe command in `data`. `auth` and `channel_data` may be absent, null or "" (§2.2). */
export function readSubscribe(data: unknown): SubscribeCommand | string {
  const fields = readFields(data);
  if (fields === undefined) return "pusher:subscribe needs data, an object.";
  const { channel, auth, channel_data: channelData } = fields;
  if (typeof channel !== "string") return "pusher:subscribe needs data.channel, a string.";
  if (auth !== undefined && auth !== null && typeof auth !== "string") {
    return "data.auth of pusher:subscribe must be a string of the form <app key>:<signature>.";
  }
  if (channelData !== undefined && channelData !== null && typeof channelData !== "string") {
    return "data.channel_data of pusher:subscribe must be a JSON string, exactly as it was signed.";
  }
  return { channel, auth: auth ?? "", channelData: channelData ? channelData : undefined };
}

/** The name of the channel to leave. */
export function readUnsubscribe(data: unknown): { channel: string } | string {
  const channel = readFields(data)?.channel;
  if (typeof channel !== "string") return "pusher:unsubscribe needs data.channel, a string.";
  return { channel };
}

export function readSignIn(data: unknown): SignInCommand | string {
  const fields = readFields(data);
  if (fields === undefined) return "pusher:signin needs data, an object.";
  const { auth, user_data: userData } = fields;
  if (typeof auth !== "string") {
    return "pusher:signin needs data.auth, a string of the form <app key>:<signature>.";
  }
  if (typeof userData !== "string") {
    return "pusher:signin needs data.user_data, a JSON string, exactly as it was signed.";
  }
  return { auth, userData };
}

/** The fields of an object that came as such or as JSON text; undefined when it is neither. */
export function readFields(data: unknown): Record<string, unknown> | undefined {
  let value = data;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
