/**
 * The event of a test delivery. Its id has the epoch 0, older than every real one: a receiver that keeps the
 * highest id per channel is not carried past the events that follow.
 */
import { DEFAULT_PARTITIONS, partitionOf } from "../protocol/partition.ts";
import {
  channelEvent,
  clientEvent,
  isUserEventType,
  isWebhookEventType,
  memberEvent,
  subscriptionCountEvent,
  userEvent,
  WEBHOOK_EVENT_TYPES,
  type WebhookEvent,
} from "../protocol/webhook-event.ts";
import type { OutboxEvent } from "../webhooks/outbox.ts";
import { CommandFailure } from "./command-failure.ts";

const TEST_EPOCH = 0;
const TEST_USER = "test-user";
const TEST_SOCKET = "0.0";

export interface TestEventParts {
  readonly appId: string;
  readonly type: string;
  readonly channel: string | undefined;
  /** What the type has besides the channel: a user id, a count, or a client's data. */
  readonly detail: string | undefined;
  readonly nowMs: number;
}

/** Throws CommandFailure for what is no event. */
export function testEvent({ appId, type, channel, detail, nowMs }: TestEventParts): OutboxEvent {
  const { name, event } = buildEvent(type, channel, detail);
  const partition = partitionOf(appId, name, DEFAULT_PARTITIONS);
  return {
    id: `${TEST_EPOCH}-${partition}-${nowMs}-0`,
    appId,
    channel: name,
    type: event.type,
    json: event.json,
    bytes: Buffer.byteLength(event.json),
    decidedMs: nowMs,
    retriedFromMs: nowMs,
  };
}

function buildEvent(
  type: string,
  channel: string | undefined,
  detail: string | undefined,
): { readonly name: string; readonly event: WebhookEvent } {
  if (!isWebhookEventType(type)) {
    throw new CommandFailure(
      2,
      `--event is ${JSON.stringify(type)}, one of ${WEBHOOK_EVENT_TYPES.join(", ")} is needed.`,
    );
  }
  if (isUserEventType(type)) {
    const userId = detail ?? TEST_USER;
    return { name: `#server-to-user-${userId}`, event: userEvent(type, userId) };
  }
  if (channel === undefined) throw new CommandFailure(2, `${type} needs --channel.`);
  const named = (event: WebhookEvent) => ({ name: channel, event });
  switch (type) {
    case "member_added":
    case "member_removed":
      return named(memberEvent(type, channel, detail ?? TEST_USER));
    case "client_event": {
      const userId = channel.startsWith("presence-") ? TEST_USER : undefined;
      const dataJson = JSON.stringify(detail ?? "{}");
      return named(clientEvent(channel, '"client-test"', dataJson, TEST_SOCKET, userId));
    }
    case "subscription_count":
      return named(subscriptionCountEvent(channel, countOf(detail ?? "1")));
    default:
      if (detail === undefined) return named(channelEvent(type, channel));
      throw new CommandFailure(2, `${type} has nothing but its channel: leave --data out.`);
  }
}

function countOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CommandFailure(
    2,
    `--data of subscription_count is ${JSON.stringify(text)}, a number is needed.`,
  );
}
