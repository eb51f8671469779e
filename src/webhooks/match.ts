/** Which of an app's endpoints take an event. Source: protocol.md §7.4, §7.7. */
import { RE2JS } from "re2js";
import type { AppSettings, ChannelFilter, WebhookEndpoint } from "../apps/app.ts";
import type { WebhookEventType } from "../protocol/webhook-event.ts";

export interface Matcher {
  /**
   * The ids of the endpoints that want events of `type` on `channel`. Throws when a filter's pattern is none,
   * which the config refuses.
   */
  endpointIds(settings: AppSettings, type: WebhookEventType, channel: string): readonly string[];
}

interface Candidate {
  readonly id: string;
  readonly takes: (channel: string) => boolean;
}

type Candidates = ReadonlyMap<WebhookEventType, readonly Candidate[]>;

/** Filters are compiled once for each settings object: a reload brings a new one. */
export function createMatcher(): Matcher {
  const compiled = new WeakMap<AppSettings, Candidates>();
  return {
    endpointIds(settings, type, channel) {
      let candidates = compiled.get(settings);
      if (!candidates) {
        candidates = compile(settings.webhooks);
        compiled.set(settings, candidates);
      }
      const ids: string[] = [];
      for (const { id, takes } of candidates.get(type) ?? []) {
        if (takes(channel)) ids.push(id);
      }
      return ids;
    },
  };
}

function compile(endpoints: readonly WebhookEndpoint[]): Candidates {
  const candidates = new Map<WebhookEventType, Candidate[]>();
  for (const { id, enabled, eventTypes, filter } of endpoints) {
    if (!enabled) continue;
    const takes = compileFilter(filter);
    for (const type of eventTypes) {
      const ofType = candidates.get(type) ?? [];
      ofType.push({ id, takes });
      candidates.set(type, ofType);
    }
  }
  return candidates;
}

function compileFilter({ startsWith, endsWith, pattern }: ChannelFilter) {
  // Channel names are chosen by strangers, so the engine must be linear in their length.
  const expression = pattern === undefined ? undefined : RE2JS.compile(pattern);
  return (channel: string): boolean =>
    (startsWith === undefined || channel.startsWith(startsWith)) &&
    (endsWith === undefined || channel.endsWith(endsWith)) &&
    (expression === undefined || expression.test(channel));
}
