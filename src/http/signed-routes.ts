/** What each route does, once the request is known to come from the app's backend. Source: protocol.md §6. */
import type { App } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Channels } from "../channels/channels.ts";
import type { ApiQuery } from "../protocol/api-query.ts";
import type { ApiRates } from "./api-rates.ts";
import { bodyRefusal } from "./authorize.ts";
import { withJson } from "./json-body.ts";
import { publishBatch, publishOne } from "./publish-routes.ts";
import { readChannel, readChannels, readUsers } from "./read-routes.ts";
import { EMPTY_REPLY, type Reply } from "./reply.ts";
import type { RouteMatch } from "./routes.ts";
import { createWebhookRoutes, type WebhookRouteParts } from "./webhook-routes.ts";
import { readSnapshot } from "./webhook-snapshot.ts";
import { type Maybe, whenReady } from "./when-ready.ts";

export interface SignedRouteParts {
  readonly channels: Pick<Channels, "publish" | "terminateUser" | "cached">;
  readonly state: Pick<ChannelState, "channel" | "channels" | "users" | "snapshot">;
  readonly rates: ApiRates;
  readonly webhooks: WebhookRouteParts;
}

/** Answers a request whose head has been accepted. `body` is only read in this call. */
export type SignedRoutes = (
  match: RouteMatch,
  app: App,
  query: ApiQuery,
  body: Buffer,
) => Maybe<Reply>;

export function createSignedRoutes(parts: SignedRouteParts): SignedRoutes {
  const answerWebhooks = createWebhookRoutes(parts.webhooks);
  return (match, app, query, body) => {
    const refusal = bodyRefusal(query, body);
    if (refusal !== undefined) return refusal;
    switch (match.name) {
      case "events":
        return withJson(body, (event) => publishOne(parts, app, event));
      case "batchEvents":
        return withJson(body, (batch) => publishBatch(parts, app, batch));
      case "channels":
        return readChannels(parts, app, query);
      case "channel":
        return readChannel(parts, app, match.subject, query);
      case "users":
        return readUsers(parts, app, match.subject, query);
      case "webhookSnapshot":
        return readSnapshot(parts, app, query);
      case "terminate":
      case "terminateByKey":
        return whenReady(parts.channels.terminateUser(app, match.subject), () => EMPTY_REPLY);
      default:
        return answerWebhooks(match, app, query, body);
    }
  };
}
