/** The events that webhooks carry, exactly as Pusher's receivers read them. Source: protocol.md §7.2. */

/** Pusher's: an endpoint gets them all unless it lists some. */
export const DEFAULT_EVENT_TYPES = [
  "channel_occupied",
  "channel_vacated",
  "member_added",
  "member_removed",
  "client_event",
  "cache_miss",
  "subscription_count",
] as const;

/** Ours: an endpoint gets them only when it lists them. They are of a user and have no channel. */
export const USER_EVENT_TYPES = ["user_online", "user_offline"] as const;

export const WEBHOOK_EVENT_TYPES = [...DEFAULT_EVENT_TYPES, ...USER_EVENT_TYPES] as const;

export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];
export type UserEventType = (typeof USER_EVENT_TYPES)[number];

/** A decided event on its way to the outbox. `json` is the finished event object of the webhook's body. */
export interface WebhookEvent {
  readonly type: WebhookEventType;
  readonly json: string;
}

export function isWebhookEventType(value: unknown): value is WebhookEventType {
  return (WEBHOOK_EVENT_TYPES as readonly unknown[]).includes(value);
}

export function isUserEventType(type: WebhookEventType): type is UserEventType {
  return type === "user_online" || type === "user_offline";
}

/** An event that says nothing but what happened and where. */
export function channelEvent(
  type: "channel_occupied" | "channel_vacated" | "cache_miss",
  channel: string,
): WebhookEvent {
  return { type, json: `{"name":"${type}","channel":${JSON.stringify(channel)}}` };
}

/** A user came to a presence channel, or went. `userId` is always a string on the wire. */
export function memberEvent(
  type: "member_added" | "member_removed",
  channel: string,
  userId: string,
): WebhookEvent {
  return {
    type,
    json: `{"name":"${type}","channel":${JSON.stringify(channel)},"user_id":${JSON.stringify(userId)}}`,
  };
}

/** A user has its first signed-in connection, or the last has been gone for the grace. */
export function userEvent(type: UserEventType, userId: string): WebhookEvent {
  return { type, json: `{"name":"${type}","user_id":${JSON.stringify(userId)}}` };
}

/**
 * A client event that was accepted. `dataJson` is the JSON encoding of the event's data *string* (the Go
 * library takes nothing else); `userId` only on presence channels, else the key is left out.
 */
export function clientEvent(
  channel: string,
  eventJson: string,
  dataJson: string,
  socketId: string,
  userId: string | undefined,
): WebhookEvent {
  const user = userId === undefined ? "" : `,"user_id":${JSON.stringify(userId)}`;
  return {
    type: "client_event",
    json: `{"name":"client_event","channel":${JSON.stringify(channel)},"event":${eventJson},"data":${dataJson},"socket_id":"${socketId}"${user}}`,
  };
}

export function subscriptionCountEvent(channel: string, count: number): WebhookEvent {
  return {
    type: "subscription_count",
    json: `{"name":"subscription_count","channel":${JSON.stringify(channel)},"subscription_count":${count}}`,
  };
}
