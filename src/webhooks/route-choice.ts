/** Decides where events go: to the endpoints that want them, or on hold while that cannot be told. */
import type { App } from "../apps/app.ts";
import { isWebhookEventType } from "../protocol/webhook-event.ts";
import { type DispatchContext, errorCode } from "./context.ts";
import { createMatcher } from "./match.ts";
import type { OutboxEvent, Route } from "./outbox.ts";
import { createRouteWays, type RouteWays } from "./route-ways.ts";

export interface Choice {
  /** One for each event, in order. */
  readonly routes: Route[];
  readonly apps: ReadonlyMap<string, App | undefined>;
}

export interface RouteChoice {
  /**
   * Holds what cannot be judged now, and with it what follows of its app: an app that has to wait is added to
   * `mustHold`, and those that are in it wait from the start.
   */
  choose(events: readonly OutboxEvent[], mustHold: Set<string>): Promise<Choice>;
  /** Nothing of the app is held any more. */
  released(appId: string): void;
  readonly ways: RouteWays;
}

export function createRouteChoice({ apps, log }: DispatchContext): RouteChoice {
  const matcher = createMatcher();
  /** Those that were warned of. */
  const heldApps = new Set<string>();

  async function choose(events: readonly OutboxEvent[], mustHold: Set<string>): Promise<Choice> {
    const known = new Map<string, App | undefined>();
    const routes: Route[] = [];
    let app: App | undefined;
    let appOf: string | undefined;
    for (const { id, appId, type, channel } of events) {
      if (appId !== appOf) {
        if (!known.has(appId)) known.set(appId, await lookUp(appId));
        app = known.get(appId);
        appOf = appId;
      }
      const endpointIds = mustHold.has(appId) ? undefined : match(app, type, channel);
      if (!endpointIds) {
        mustHold.add(appId);
        noteHeld(appId);
      }
      routes.push({ id, endpointIds });
    }
    return { routes, apps: known };
  }

  async function lookUp(appId: string): Promise<App | undefined> {
    try {
      return await apps.byId(appId);
    } catch (error) {
      // To wait is right whatever failed: the event is held and asked for again.
      log.warn({ app_id: appId, reason: errorCode(error) }, "app of webhook events not found");
      return undefined;
    }
  }

  function match(
    app: App | undefined,
    type: string,
    channel: string,
  ): readonly string[] | undefined {
    if (!app || !isWebhookEventType(type)) return undefined;
    try {
      return matcher.endpointIds(app.settings, type, channel);
    } catch (error) {
      log.error({ app_id: app.id, reason: errorCode(error) }, "webhook filter cannot be compiled");
      return undefined;
    }
  }

  function noteHeld(appId: string): void {
    if (heldApps.has(appId)) return;
    heldApps.add(appId);
    log.warn({ app_id: appId }, "webhook events held until their app is known");
  }

  return {
    choose,
    ways: createRouteWays(lookUp, matcher),
    released(appId) {
      if (heldApps.delete(appId)) log.info({ app_id: appId }, "held webhook events released");
    },
  };
}
