/**
 * Which ways the events of each partition went last, so that those that come can be moved without being read before.
 * Only of apps and types whose events go to the same endpoints whatever their channel.
 */
import type { App } from "../apps/app.ts";
import { isWebhookEventType, type WebhookEventType } from "../protocol/webhook-event.ts";
import type { Matcher } from "./match.ts";
import type { OutboxEvent, Way } from "./outbox.ts";

export interface RouteWays {
  /** Undefined: what comes has to be read. */
  of(partition: number): Promise<KnownWays | undefined>;
  /** These were read from the stream and routed; `apps` has those of them that are known. */
  note(partition: number, events: readonly OutboxEvent[], apps: KnownWays["apps"]): void;
}

export interface KnownWays {
  readonly ways: readonly Way[];
  readonly apps: ReadonlyMap<string, App | undefined>;
}

interface Kind {
  readonly appId: string;
  readonly type: WebhookEventType;
}

interface Recent {
  /** By `<app>:<type>`, the newest last. */
  readonly kinds: ReadonlyMap<string, Kind>;
  /** What came last had come before: it is likely to come again. */
  readonly isUsual: boolean;
}

/** Of one partition. Each costs a little with every call. */
const MOST_KINDS = 8;

/** `lookUp` does not reject. */
export function createRouteWays(
  lookUp: (appId: string) => Promise<App | undefined>,
  matcher: Matcher,
): RouteWays {
  const recents = new Map<number, Recent>();

  return {
    async of(partition) {
      const recent = recents.get(partition);
      if (!recent?.isUsual) return undefined;
      const apps = new Map<string, App>();
      const ways: Way[] = [];
      for (const { appId, type } of recent.kinds.values()) {
        const app = apps.get(appId) ?? (await lookUp(appId));
        const endpointIds = app && matcher.onAnyChannel(app.settings, type);
        if (!app || !endpointIds) return undefined;
        apps.set(appId, app);
        ways.push({ appId, type, endpointIds });
      }
      return { ways, apps };
    },
    note(partition, events, apps) {
      const before = recents.get(partition)?.kinds ?? new Map<string, Kind>();
      const kinds = new Map(before);
      let isUsual = events.length > 0;
      for (const [name, { appId, type }] of kindsOf(events)) {
        const app = apps.get(appId);
        kinds.delete(name);
        if (app && isWebhookEventType(type) && matcher.onAnyChannel(app.settings, type)) {
          kinds.set(name, { appId, type });
          isUsual &&= before.has(name);
        } else {
          isUsual = false;
        }
      }
      const kept = [...kinds].slice(-MOST_KINDS);
      recents.set(partition, { kinds: new Map(kept), isUsual });
    },
  };
}

/** The first event of each app and type, by `<app>:<type>`. */
function kindsOf(events: readonly OutboxEvent[]): ReadonlyMap<string, OutboxEvent> {
  const kinds = new Map<string, OutboxEvent>();
  let last: OutboxEvent | undefined;
  for (const event of events) {
    if (event.appId === last?.appId && event.type === last.type) continue;
    kinds.set(`${event.appId}:${event.type}`, event);
    last = event;
  }
  return kinds;
}
