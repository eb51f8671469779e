/** What a client sends, signed with a secret as its backend would: for sockets that no client library drives. */
import { createHmac } from "node:crypto";
import { APP } from "./pipit.ts";
import type { Frame, RawSocket } from "./raw-socket.ts";

export function hmac(content: string, secret: string = APP.secret): string {
  return createHmac("sha256", secret).update(content).digest("hex");
}

/** `auth` for `content`: `<key>:<signature>`. */
export function authFor(content: string): string {
  return `${APP.key}:${hmac(content)}`;
}

/** Sends a signed subscribe. `channelData` is sent as given, or as JSON when it is no string. */
export async function sendSubscribe(
  socket: RawSocket,
  channel: string,
  channelData?: unknown,
): Promise<void> {
  const socketId = await socket.socketId();
  const text =
    channelData === undefined || typeof channelData === "string"
      ? channelData
      : JSON.stringify(channelData);
  const content = text === undefined ? `${socketId}:${channel}` : `${socketId}:${channel}:${text}`;
  socket.send({
    event: "pusher:subscribe",
    data: { channel, auth: authFor(content), channel_data: text },
  });
}

/** As {@link sendSubscribe}, and waits for the success, which it gives. */
export async function subscribe(
  socket: RawSocket,
  channel: string,
  channelData?: unknown,
): Promise<Frame> {
  await sendSubscribe(socket, channel, channelData);
  return socket.frame(
    `${channel} is joined`,
    (frame) =>
      frame.channel === channel && frame.event === "pusher_internal:subscription_succeeded",
  );
}

/** Sends a signed sign-in. `userData` is sent as given, or as JSON when it is no string. Gives what was signed. */
export async function sendSignIn(socket: RawSocket, userData: unknown): Promise<string> {
  const text = typeof userData === "string" ? userData : JSON.stringify(userData);
  const auth = authFor(`${await socket.socketId()}::user::${text}`);
  socket.send({ event: "pusher:signin", data: { auth, user_data: text } });
  return text;
}

/** As {@link sendSignIn}, and waits for the success. */
export async function signIn(socket: RawSocket, userData: unknown): Promise<Frame> {
  await sendSignIn(socket, userData);
  return socket.frame("the sign-in is answered", ({ event }) => event === "pusher:signin_success");
}

export interface ErrorData {
  readonly code: number | null;
  readonly message: string;
}

/** The data of every `pusher:error` so far. */
export function errorsOf(socket: RawSocket): readonly ErrorData[] {
  return socket.frames
    .filter(({ event }) => event === "pusher:error")
    .map(({ data }) => data as ErrorData);
}

/** The `pusher:error` with this number, counted from 0, waiting for it. */
export async function errorNumber(socket: RawSocket, index: number): Promise<ErrorData> {
  const matches = (): Frame | undefined =>
    socket.frames.filter(({ event }) => event === "pusher:error")[index];
  const frame = await socket.frame(`error number ${index} comes`, (found) => found === matches());
  return frame.data as ErrorData;
}
