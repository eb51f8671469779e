/** Tells which events no webhook wants, so that they need not be queued to find that out. */
import type { Apps } from "../apps/app.ts";
import type { WebhookEventType } from "../protocol/webhook-event.ts";
import { createMatcher } from "./match.ts";

/** Whether an event has to be appended. */
export type IsWanted = (appId: string, channel: string, type: WebhookEventType) => boolean;

/** In doubt an event is wanted: that of an app which is not known at once, or whose filter cannot be compiled. */
export function createWantedEvents(apps: Apps): IsWanted {
  const matcher = createMatcher();
  return (appId, channel, type) => {
    const app = apps.byId(appId);
    if (!app) return true;
    if (app instanceof Promise) {
      // Its failure is told by whoever routes the event.
      app.catch(() => {});
      return true;
    }
    try {
      return matcher.endpointIds(app.settings, type, channel).length > 0;
    } catch {
      return true;
    }
  };
}
