/** Which of an app's endpoints take an event. Source: protocol.md §7.4, §7.7. */
import { RE2JS } from "re2js";
import type { AppSettings, ChannelFilter, WebhookEndpoint } from "../apps/app.ts";
import { isUserEventType, type WebhookEventType } from "../protocol/webhook-event.ts";

export interface Matcher {
  /**
   * The ids of the endpoints that want events of `type` on `channel`. No filter keeps out events of a user:
   * they have no channel. Throws when a filter's pattern is none, which the config refuses. Where no filter decides
   * it is one list for all events: 190 bytes less for each, and 0.15 µs less if it is not frozen.
   */
  endpointIds(settings: AppSettings, type: WebhookEventType, channel: string): readonly string[];
  /** As that, when it is the same for every channel; undefined when a filter decides. */
  onAnyChannel(settings: AppSettings, type: WebhookEventType): readonly string[] | undefined;
}

interface Candidate {
  readonly id: string;
  /** Undefined: it takes every channel. */
  readonly takes: ((channel: string) => boolean) | undefined;
}

interface Candidates {
  readonly all: Candidate[];
  /** Their ids; undefined: a filter decides. */
  readonly onAnyChannel: readonly string[] | undefined;
}

type CandidatesByType = ReadonlyMap<WebhookEventType, Candidates>;

const NONE: Candidates = { all: [], onAnyChannel: [] };

/** Filters are compiled once for each settings object: a reload brings a new one. */
export function createMatcher(): Matcher {
  const compiled = new WeakMap<AppSettings, CandidatesByType>();

  function candidatesOf(settings: AppSettings, type: WebhookEventType): Candidates {
    let candidates = compiled.get(settings);
    if (!candidates) {
      candidates = compile(settings.webhooks);
      compiled.set(settings, candidates);
    }
    return candidates.get(type) ?? NONE;
  }

  return {
    endpointIds(settings, type, channel) {
      const { all, onAnyChannel } = candidatesOf(settings, type);
      return onAnyChannel ?? idsOf(all.filter(({ takes }) => !takes || takes(channel)));
    },
    onAnyChannel: (settings, type) => candidatesOf(settings, type).onAnyChannel,
  };
}

function compile(endpoints: readonly WebhookEndpoint[]): CandidatesByType {
  const candidates = new Map<WebhookEventType, Candidate[]>();
  for (const { id, enabled, eventTypes, filter } of endpoints) {
    if (!enabled) continue;
    const takes = compileFilter(filter);
    for (const type of eventTypes) {
      const ofType = candidates.get(type) ?? [];
      ofType.push({ id, takes: isUserEventType(type) ? undefined : takes });
      candidates.set(type, ofType);
    }
  }
  const byType = new Map<WebhookEventType, Candidates>();
  for (const [type, all] of candidates) {
    const isFiltered = all.some(({ takes }) => takes);
    byType.set(type, { all, onAnyChannel: isFiltered ? undefined : idsOf(all) });
  }
  return byType;
}

function idsOf(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ id }) => id);
}

/** Takes a channel when every part holds; undefined: there is none. */
function compileFilter(filter: ChannelFilter): Candidate["takes"] {
  const parts = filterParts(filter);
  if (parts.length === 0) return undefined;
  return (channel) => parts.every(({ holds }) => holds(channel));
}

/** A part of a filter, as it is configured. */
export interface FilterPart {
  /** The key in the configuration, `channel_name_starts_with`. */
  readonly key: string;
  readonly value: string;
  readonly holds: (channel: string) => boolean;
}

/** The parts that are given. Throws when the pattern is none, which the config refuses. */
export function filterParts({ startsWith, endsWith, pattern }: ChannelFilter): FilterPart[] {
  const parts: FilterPart[] = [];
  if (startsWith !== undefined) {
    const holds = (channel: string) => channel.startsWith(startsWith);
    parts.push({ key: "channel_name_starts_with", value: startsWith, holds });
  }
  if (endsWith !== undefined) {
    const holds = (channel: string) => channel.endsWith(endsWith);
    parts.push({ key: "channel_name_ends_with", value: endsWith, holds });
  }
  if (pattern !== undefined) {
    // Channel names are chosen by strangers, so the engine must be linear in their length.
    const expression = RE2JS.compile(pattern);
    const holds = (channel: string) => expression.test(channel);
    parts.push({ key: "channel_name_pattern", value: pattern, holds });
  }
  return parts;
}
