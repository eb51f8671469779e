/**
 * Why an event reaches an endpoint or does not, in sentences for whoever configured it. Whether an endpoint
 * takes it is asked of the matcher that routes; the sentences only say why. Source: protocol.md §7.2, §7.4.
 */
import type { AppSettings, WebhookEndpoint } from "../apps/app.ts";
import { channelKind, channelNameProblem } from "../protocol/channel-name.ts";
import { USER_CHANNEL_PREFIX } from "../protocol/topic.ts";
import { isUserEventType, type WebhookEventType } from "../protocol/webhook-event.ts";
import { createMatcher, filterParts } from "./match.ts";

export interface Explanation {
  /** Why the app never has such an event on this channel; empty: it can. */
  readonly impossible: readonly string[];
  /** In the order of the configuration. */
  readonly endpoints: readonly EndpointExplanation[];
}

export interface EndpointExplanation {
  readonly endpoint: WebhookEndpoint;
  /** Such an event, once it is decided, is routed to the endpoint. */
  readonly isTaken: boolean;
  /** Everything that keeps it away; empty exactly when it is taken. */
  readonly refusals: readonly string[];
}

export function explain(
  settings: AppSettings,
  type: WebhookEventType,
  channel: string,
): Explanation {
  const taking = new Set(createMatcher().endpointIds(settings, type, channel));
  return {
    impossible: impossibilities(settings, type, channel),
    endpoints: settings.webhooks.map((endpoint) => ({
      endpoint,
      isTaken: taking.has(endpoint.id),
      refusals: endpointRefusals(endpoint, type, channel),
    })),
  };
}

function endpointRefusals(
  { enabled, eventTypes, filter }: WebhookEndpoint,
  type: WebhookEventType,
  channel: string,
): string[] {
  const refusals: string[] = [];
  if (!enabled) {
    refusals.push("enabled is false: the endpoint takes no new events.");
  }
  if (!eventTypes.has(type)) {
    refusals.push(`event_types does not name ${type}, only ${[...eventTypes].join(", ")}.`);
  }
  for (const { key, value, holds } of filterParts(filter)) {
    if (isUserEventType(type) || holds(channel)) continue;
    refusals.push(
      `filter.${key} is ${JSON.stringify(value)}, which ${JSON.stringify(channel)} does not match.`,
    );
  }
  return refusals;
}

function impossibilities(settings: AppSettings, type: WebhookEventType, channel: string): string[] {
  const found: string[] = [];
  if (!settings.enabled) {
    found.push("The app has enabled: false, so nobody can connect and nothing happens in it.");
  }
  if (settings.webhookKey === undefined) {
    found.push("The app has no enabled key, so nobody can connect and nothing can be signed.");
  }
  const nameProblem = isUserEventType(type)
    ? undefined
    : channelNameProblem(channel, settings.limits.maxChannelNameLength);
  if (nameProblem !== undefined) found.push(nameProblem);
  const reason = typeImpossibility(settings, type, channel);
  if (reason !== undefined) found.push(reason);
  return found;
}

/** Why no channel of this kind, or no channel of this app, has events of `type`. */
function typeImpossibility(
  { features }: AppSettings,
  type: WebhookEventType,
  channel: string,
): string | undefined {
  const { prefix, needsAuth, hasMembers, isEncrypted, isCached } = channelKind(channel);
  switch (type) {
    case "member_added":
    case "member_removed":
      if (hasMembers) return undefined;
      return `Only presence channels have ${type}: the name must begin with presence-.`;
    case "cache_miss":
      if (isCached) return undefined;
      return "Only cache channels have cache_miss: the name must begin with cache-, private-cache-, private-encrypted-cache- or presence-cache-.";
    case "subscription_count":
      if (hasMembers)
        return "Presence channels have no subscription_count; they have member events.";
      if (features.subscriptionCount) return undefined;
      return "The app's enable_subscription_count is false.";
    case "client_event":
      if (!features.clientMessages) return "The app's enable_client_messages is false.";
      if (!needsAuth && !features.clientMessagesOnPublicChannels) {
        return "The channel is public, and the app's enable_client_messages_on_public_channels is false.";
      }
      if (isEncrypted && !features.clientMessagesOnEncryptedChannels) {
        return `The channel is encrypted (${prefix}), and the app's enable_client_messages_on_encrypted_channels is false.`;
      }
      return undefined;
    case "user_online":
    case "user_offline":
      if (!channel.startsWith(USER_CHANNEL_PREFIX)) {
        return `${type} is of a user, not of a channel: name it as ${USER_CHANNEL_PREFIX} and the user's id.`;
      }
      if (features.userAuthentication) return undefined;
      return "The app's enable_user_authentication is false.";
    default:
      return undefined;
  }
}
