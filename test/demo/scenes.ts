/** The story of the demo. Each scene waits for what should come, and says what it waited for if that does not. */
import assert from "node:assert/strict";
import type Pusher from "pusher";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { until } from "../support/until.ts";
import type { DemoClient } from "./demo-client.ts";
import { shown, type Transcript } from "./transcript.ts";
import type { WebhookReceiver } from "./webhook-receiver.ts";

export interface Cast {
  readonly ada: DemoClient;
  readonly bob: DemoClient;
  readonly publisher: Pusher;
  readonly receiver: WebhookReceiver;
  readonly transcript: Transcript;
}

type Scene = readonly [title: string, play: (cast: Cast) => Promise<void>];

export const SCENES: readonly Scene[] = [
  ["A public channel", publicChannel],
  ["A private channel, without the sender", privateChannel],
  ["A client event", clientEvent],
  ["A presence channel", presenceChannel],
  ["An encrypted channel", encryptedChannel],
  ["A cache channel", cacheChannel],
  ["A message to one user", toOneUser],
  ["Leaving", leaving],
];

async function publish(
  { publisher, transcript }: Cast,
  channel: string,
  event: string,
  data: unknown,
  exceptSocketId?: string,
): Promise<void> {
  transcript.line("publisher", `publishes ${event} to ${channel}: ${shown(data)}`);
  const params = exceptSocketId === undefined ? {} : { socket_id: exceptSocketId };
  const { status } = await publisher.trigger(channel, event, data, params);
  assert.equal(status, 200, "the publish is accepted");
}

async function publicChannel(cast: Cast): Promise<void> {
  const { ada, bob } = cast;
  await ada.subscribe("news");
  await bob.subscribe("news");
  await publish(cast, "news", "headline", { text: "It works." });
  await ada.hears("news", "headline");
  await bob.hears("news", "headline");
  await webhook(cast, "channel_occupied", "news");
  await webhook(cast, "subscription_count", "news");
}

async function privateChannel(cast: Cast): Promise<void> {
  const { ada, bob } = cast;
  await ada.subscribe("private-chat");
  await bob.subscribe("private-chat");
  await publish(cast, "private-chat", "message", { from: "ada" }, ada.socketId);
  await bob.hears("private-chat", "message");
  // A later event that does come shows that the first one never will.
  await publish(cast, "private-chat", "for-all", {});
  await ada.hears("private-chat", "for-all");
  assert.equal(ada.heard("private-chat", "message"), 0, "Ada does not hear her own message");
}

async function clientEvent(cast: Cast): Promise<void> {
  cast.ada.whisper("private-chat", "client-typing", { isTyping: true });
  await cast.bob.hears("private-chat", "client-typing");
  await webhook(cast, "client_event", "private-chat");
}

async function presenceChannel(cast: Cast): Promise<void> {
  const { ada, bob } = cast;
  await ada.subscribe("presence-room");
  await bob.subscribe("presence-room");
  await ada.hears("presence-room", "pusher:member_added");
  await webhook(cast, "member_added", "presence-room", "bob");
}

async function encryptedChannel(cast: Cast): Promise<void> {
  await cast.ada.subscribe("private-encrypted-letters");
  await publish(cast, "private-encrypted-letters", "letter", { text: "for Ada's eyes only" });
  await cast.ada.hears("private-encrypted-letters", "letter");
}

async function cacheChannel(cast: Cast): Promise<void> {
  await cast.ada.subscribe("cache-weather");
  await cast.ada.hears("cache-weather", "pusher:cache_miss");
  await webhook(cast, "cache_miss", "cache-weather");
  await publish(cast, "cache-weather", "forecast", { sky: "clear" });
  await cast.bob.subscribe("cache-weather");
  await cast.bob.hears("cache-weather", "forecast");
}

async function toOneUser(cast: Cast): Promise<void> {
  const { bob, publisher, transcript } = cast;
  await bob.signIn();
  await webhook(cast, "user_online", undefined, "bob");
  transcript.line("publisher", "sends hello to bob");
  await publisher.sendToUser("bob", "hello", { only: "you" });
  await bob.hears("its user", "hello");
}

async function leaving(cast: Cast): Promise<void> {
  const { ada, bob, transcript } = cast;
  bob.unsubscribe("presence-room");
  await ada.hears("presence-room", "pusher:member_removed");
  ada.unsubscribe("private-encrypted-letters");
  bob.disconnect();
  transcript.line("", "(webhooks about leaving wait 3 s: a client that returns causes none)");
  await webhook(cast, "member_removed", "presence-room", "bob");
  await webhook(cast, "channel_vacated", "private-encrypted-letters");
  await webhook(cast, "user_offline", undefined, "bob");
}

async function webhook(
  { receiver }: Cast,
  name: string,
  channel: string | undefined,
  userId?: string,
): Promise<void> {
  const user = userId === undefined ? "" : ` of ${userId}`;
  const where = channel === undefined ? "" : ` on ${channel}`;
  await until(`the webhook ${name}${user}${where} has come`, () => {
    if (receiver.refused > 0) throw new Error("A webhook came whose signature is wrong.");
    return receiver.events.some(
      (event) =>
        event.name === name &&
        event.channel === channel &&
        (userId === undefined || event.user_id === userId),
    );
  });
}

/** Kinds of webhooks that never came. */
export function missingKinds(receiver: WebhookReceiver): readonly string[] {
  return WEBHOOK_EVENT_TYPES.filter((kind) => !receiver.events.some(({ name }) => name === kind));
}
