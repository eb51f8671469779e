/** Publishing what backends send. Source: protocol.md §2.8, §4.2, §6.3. */
import type { Adapter } from "../adapters/adapter.ts";
import type { App } from "../apps/app.ts";
import type { CacheStore } from "../cache/cache-store.ts";
import { channelKind } from "../protocol/channel-name.ts";
import { eventFrame } from "../protocol/frame.ts";
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
  function publishOne(app: App, event: EventToPublish, channel: string): void | Promise<void> {
    const topic = channelTopic(app.id, channel);
    const nameJson = locals.get(topic)?.nameJson ?? JSON.stringify(channel);
    const { eventJson, dataJson, exceptSocketId } = event;
    const frame = eventFrame(eventJson, nameJson, dataJson);
    app.traffic.eventsPublished += 1;
    if (!channelKind(channel).isCached) {
      return adapter.publish("event", topic, frame, exceptSocketId);
    }
    // Cached first: a client that subscribes between the two gets the event twice rather than never.
    const cached = cache.set(app.id, channel, { eventJson, dataJson }, app.settings.cacheTtlMs);
    return cached === undefined
      ? adapter.publish("event", topic, frame, exceptSocketId)
      : cached.then(() => adapter.publish("event", topic, frame, exceptSocketId));
  }

  return (app, events) => {
    const waiting: Promise<void>[] = [];
    for (const event of events) {
      for (const channel of event.channels) {
        const published = publishOne(app, event, channel);
        if (published !== undefined) waiting.push(published);
      }
    }
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  };
}
