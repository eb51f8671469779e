/** Events that clients send to each other. Source: protocol.md §3. */
import type { Adapter } from "../adapters/adapter.ts";
import type { App } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Connection } from "../connections/connection.ts";
import { createTokenBucket, takeToken } from "../limits/token-bucket.ts";
import { channelKind } from "../protocol/channel-name.ts";
import { CLOSE_CODES, type CloseCode } from "../protocol/close-code.ts";
import type { ClientFrame } from "../protocol/command.ts";
import { clientEventFrame } from "../protocol/frame.ts";
import { isDeeperThan, MAX_JSON_DEPTH } from "../protocol/json-depth.ts";
import { channelTopic } from "../protocol/topic.ts";
import { clientEvent } from "../protocol/webhook-event.ts";
import type { ChannelsCounters } from "./counters.ts";
import type { RefusalReason, Refusals } from "./refusals.ts";

/** What makes an event a client event: its name begins so. */
export const CLIENT_EVENT_PREFIX = "client-";

export interface ClientEventParts {
  readonly adapter: Adapter;
  readonly state: ChannelState;
  readonly refusals: Refusals;
  readonly counters: ChannelsCounters;
  readonly now: () => number;
  /** Whether a refusal may be answered: it costs a command, or refused events would be work without a bound. */
  readonly mayAnswer: (connection: Connection) => boolean;
}

/** Relays a client event to the channel's other subscribers, or refuses it. Checks run in the order of §3. */
export function createClientEvents(
  parts: ClientEventParts,
): (connection: Connection, frame: ClientFrame) => void {
  const { adapter, state, refusals, counters, now, mayAnswer } = parts;

  return (connection, { event, channel, data }) => {
    const refuse = (reason: RefusalReason, code: CloseCode | null, message: string): void => {
      if (mayAnswer(connection)) refusals.refuse(connection, reason, code, message);
    };
    const { app } = connection;
    const { features, limits } = app.settings;

    if (!features.clientMessages) {
      const message = "Client events are not enabled for this app (enable_client_messages).";
      return refuse("client_events_disabled", CLOSE_CODES.rejected, message);
    }
    if (event.length > limits.maxEventNameLength) {
      const message = `The event name has ${event.length} characters, ${limits.maxEventNameLength} are allowed.`;
      return refuse("client_event_name", null, message);
    }
    if (channel === undefined) {
      return refuse("client_event_channel", null, 'A client event needs "channel", a string.');
    }
    const kind = channelKind(channel);
    if (channel.startsWith("#") || (!kind.needsAuth && !features.clientMessagesOnPublicChannels)) {
      const message = "Client events are for private and presence channels.";
      return refuse("client_event_channel", null, message);
    }
    if (kind.isEncrypted && !features.clientMessagesOnEncryptedChannels) {
      const message = "Client events cannot be encrypted, so encrypted channels take none.";
      return refuse("client_event_channel", CLOSE_CODES.rejected, message);
    }
    const subscription = connection.subscriptions?.get(channel);
    if (subscription?.status !== "joined") {
      const message = `This connection is not subscribed to ${JSON.stringify(channel.slice(0, 200))}.`;
      return refuse("client_event_not_subscribed", null, message);
    }
    if (isDeeperThan(data)) {
      const message = `The event's data is nested deeper than ${MAX_JSON_DEPTH} levels.`;
      return refuse("client_event_depth", null, message);
    }
    const text = dataText(data);
    const size = Buffer.byteLength(text);
    if (size > limits.maxEventPayloadBytes) {
      const message = `The event's data has ${size} bytes, ${limits.maxEventPayloadBytes} are allowed.`;
      return refuse("client_event_size", null, message);
    }
    if (!isWithinRate(connection, limits.maxClientEventsPerSecond, now())) {
      const message = `More than ${limits.maxClientEventsPerSecond} client events in a second: this one was dropped.`;
      // Too many good events are dropped for as long as they come: only bad ones lead to a close.
      refusals.refuse(connection, "client_event_rate", CLOSE_CODES.rejected, message);
      if (limits.terminateOnClientEventLimit) {
        connection.socket.close(CLOSE_CODES.rejected, "Too many client events.");
      }
      return;
    }
    app.traffic.clientEvents += 1;
    const eventJson = JSON.stringify(event);
    const dataJson = JSON.stringify(text);
    const { userId } = subscription;
    const frame = clientEventFrame(eventJson, JSON.stringify(channel), dataJson, userId);
    const { socketId } = connection;
    const topic = channelTopic(app.id, channel);
    const relayed = adapter.publish("client_event", topic, frame, socketId);
    relayed?.catch(() => {
      counters.relayFailures += 1;
    });
    if (hasReceiver(app)) {
      state.record(app.id, channel, clientEvent(channel, eventJson, dataJson, socketId, userId));
    }
  };
}

/** The data as the string that receivers get. Absent data becomes `{}`, since Java reads the key always (§9 row 29). */
function dataText(data: unknown): string {
  if (typeof data === "string") return data;
  return data === undefined ? "{}" : JSON.stringify(data);
}

function isWithinRate(connection: Connection, perSecond: number, nowMs: number): boolean {
  if (perSecond === Infinity) return true;
  connection.clientEventBucket ??= createTokenBucket(perSecond, nowMs);
  return takeToken(connection.clientEventBucket, perSecond, perSecond, nowMs);
}

/** Whether any webhook of the app could take client events: without one, recording them is work for nothing. */
function hasReceiver(app: App): boolean {
  for (const endpoint of app.settings.webhooks) {
    if (endpoint.eventTypes.has("client_event")) return true;
  }
  return false;
}
