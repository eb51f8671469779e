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
  /** What came last had come before, or came in numbers: it is likely to come again. */
  readonly isUsual: boolean;
}

/** Of one partition. Each costs a little with every call. */
const MOST_KINDS = 8;

/** So many events of each kind are not there by chance. */
const NUMBERS = 4;

/** `lookUp` does not reject. */
export function createRouteWays(
  lookUp: (appId: string) => Promise<App | undefined>,
  matcher: Matcher,
): RouteWays {
  const recents = new Map<number, Recent>();
  /** Of any partition: a guess for those of which nothing is known. */
  let newest: Recent | undefined;

  return {
    async of(partition) {
      const recent = recents.get(partition) ?? newest;
      if (!recent?.isUsual) return undefined;
      const apps = new Map<string, App>();
      const ways: Way[] = [];
      for (const { appId, type } of recent.kinds.values()) {
        const app = apps.get(appId) ?? (await lookUp(appId));
        const endpointIds = app && matcher.onAnyChannel(app.settings, type);
        // It has no way any more. Should an event of it come all the same, it is read.
        if (!app || !endpointIds) continue;
        apps.set(appId, app);
        ways.push({ appId, type, endpointIds });
      }
      return ways.length === 0 ? undefined : { ways, apps };
    },
    note(partition, events, apps) {
      const before = recents.get(partition)?.kinds ?? new Map<string, Kind>();
      const kinds = new Map(before);
      const found = kindsOf(events);
      const areMany = events.length >= found.size * NUMBERS;
      let isUsual = found.size <= MOST_KINDS;
      for (const [name, { appId, type }] of found) {
        const app = apps.get(appId);
        kinds.delete(name);
        if (app && isWebhookEventType(type) && matcher.onAnyChannel(app.settings, type)) {
          kinds.set(name, { appId, type });
          isUsual &&= areMany || before.has(name);
        } else {
          isUsual = false;
        }
      }
      newest = { kinds: new Map([...kinds].slice(-MOST_KINDS)), isUsual };
      recents.set(partition, newest);
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
