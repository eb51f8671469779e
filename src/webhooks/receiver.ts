/** Who an endpoint's events go to at present: its configuration is read anew for each round of sending. */
import type { App, AppKey, Apps, WebhookEndpoint } from "../apps/app.ts";
import type { Endpoint } from "./lanes.ts";
import type { BatchingSettings } from "./settings.ts";

export interface Receiver {
  readonly webhook: WebhookEndpoint;
  readonly key: AppKey;
  /** Per POST. */
  readonly maxEvents: number;
}

/** Why nothing can be sent to the endpoint now. Its events go on waiting. */
export type Obstacle =
  | "app unknown"
  | "app look-up failed"
  | "endpoint removed"
  | "endpoint disabled"
  | "app has no enabled key";

export async function findReceiver(
  endpoint: Endpoint,
  apps: Apps,
  batching: BatchingSettings,
): Promise<Receiver | Obstacle> {
  let app: App | undefined;
  try {
    app = await apps.byId(endpoint.appId);
  } catch {
    // Any failure of the look-up means the same here: wait and ask again.
    return "app look-up failed";
  }
  if (!app) return "app unknown";
  const { webhooks, webhookKey, batchWebhooks } = app.settings;
  const webhook = webhooks.find(({ id }) => id === endpoint.id);
  if (!webhook) return "endpoint removed";
  if (!webhook.enabled) return "endpoint disabled";
  if (!webhookKey) return "app has no enabled key";
  const maxEvents = batching.enabled && batchWebhooks ? batching.maxEvents : 1;
  return { webhook, key: webhookKey, maxEvents };
}

/** The url without what may be secret in it: chat services put a token into the path. */
export function loggableOrigin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "";
}
