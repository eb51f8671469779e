/** What each route does, once the request is known to come from the app's backend. Source: protocol.md §6. */
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Channels } from "../channels/channels.ts";
import type { AnswerSigned } from "./answer-signed.ts";
import type { ApiRates } from "./api-rates.ts";
import { bodyRefusal } from "./authorize.ts";
import { withJson } from "./json-body.ts";
import { publishBatch, publishOne } from "./publish-routes.ts";
import { readChannel, readChannels, readUsers } from "./read-routes.ts";
import { EMPTY_REPLY } from "./reply.ts";
import { createWebhookRoutes, type WebhookRouteParts } from "./webhook-routes.ts";
import { readSnapshot } from "./webhook-snapshot.ts";
import { whenReady } from "./when-ready.ts";

export interface SignedRouteParts {
  readonly channels: Pick<Channels, "publish" | "terminateUser" | "cached">;
  readonly state: Pick<ChannelState, "channel" | "channels" | "users" | "snapshot">;
  readonly rates: ApiRates;
  readonly webhooks: WebhookRouteParts;
}

export function createSignedRoutes(parts: SignedRouteParts): AnswerSigned {
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
