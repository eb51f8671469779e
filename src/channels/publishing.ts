/** Publishing what backends send. Source: protocol.md §2.8, §4.2, §6.3. */
import { type Adapter, AdapterUnavailableError } from "../adapters/adapter.ts";
import type { App } from "../apps/app.ts";
import type { CacheStore } from "../cache/cache-store.ts";
import { isCachedChannel } from "../protocol/channel-name.ts";
import { eventFrame } from "../protocol/frame.ts";
import { jsonString } from "../protocol/json-string.ts";
import { channelTopic } from "../protocol/topic.ts";
import type { EventToPublish } from "./channels.ts";
import type { LocalChannels } from "./local-channels.ts";

export interface PublishingParts {
  readonly adapter: Adapter;
  readonly cache: CacheStore;
  readonly locals: LocalChannels;
}

export function createPublishing({
  adapter,
  cache,
  locals,
}: PublishingParts): (app: App, events: readonly EventToPublish[]) => void | Promise<void> {
  /** On a Redis Cluster one master may be away and the others not: then nobody gets a part of it. */
  function canSendAll(app: App, events: readonly EventToPublish[]): boolean {
    // One channel alone is refused by what it is sent with.
    const isOne = events.length === 1 && events[0]?.channels.length === 1;
    if (adapter.canPublish === undefined || isOne) return true;
    for (const { channels } of events) {
      for (const channel of channels) {
        if (!adapter.canPublish(channelTopic(app.id, channel))) return false;
      }
    }
    return true;
  }

  function cacheAll(app: App, events: readonly EventToPublish[]): void | Promise<void> {
    const waiting: Promise<void>[] = [];
    for (const { channels, eventJson, dataJson } of events) {
      for (const channel of channels) {
        if (!isCachedChannel(channel)) continue;
        const event = { eventJson, dataJson };
        const cached = cache.set(app.id, channel, event, app.settings.cacheTtlMs);
        if (cached !== undefined) waiting.push(cached);
      }
    }
    return whenAll(waiting);
  }

  function publishAll(app: App, events: readonly EventToPublish[]): void | Promise<void> {
    const waiting: Promise<void>[] = [];
    for (const { channels, eventJson, dataJson, exceptSocketId } of events) {
      for (const channel of channels) {
        const asked = channelTopic(app.id, channel);
        const local = locals.get(asked);
        const frame = eventFrame(eventJson, local?.nameJson ?? jsonString(channel), dataJson);
        const topic = local?.topic ?? asked;
        app.traffic.eventsPublished += 1;
        const published = adapter.publish("event", topic, frame, exceptSocketId);
        if (published !== undefined) waiting.push(published);
      }
    }
    return whenAll(waiting);
  }

  return (app, events) => {
    if (!canSendAll(app, events)) {
      const message = "Nodes with subscribers of a channel cannot be reached: nothing was sent.";
      return Promise.reject(new AdapterUnavailableError(message));
    }
    // Cached first: a client that subscribes between the two gets the event twice rather than never. All of
    // them: when one cannot be cached nothing is delivered, and answers that overtake each other change no order.
    const cached = cacheAll(app, events);
    return cached === undefined
      ? publishAll(app, events)
      : cached.then(() => publishAll(app, events));
  };
}

function whenAll(waiting: readonly Promise<void>[]): void | Promise<void> {
  return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
}
