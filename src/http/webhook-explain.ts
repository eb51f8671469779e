/** `GET webhooks/explain`: why an event does not come, or where it stands. Source: protocol.md §6.11. */
import type { App } from "../apps/app.ts";
import { isWebhookEventType, type WebhookEventType } from "../protocol/webhook-event.ts";
import { type EndpointExplanation, explain } from "../webhooks/explain.ts";
import type { LastDelivery } from "../webhooks/last-deliveries.ts";
import type { EndpointStatus, WebhookOperations } from "../webhooks/operations.ts";
import { errorReply, okReply, quoted, type Reply } from "./reply.ts";
import { letterFields, statusFields } from "./webhook-json.ts";
import { eventProblem, MAX_STEP_LIMIT, readParameters } from "./webhook-request.ts";

export interface ExplainParts {
  readonly operations: Pick<WebhookOperations, "status" | "deadLetters">;
  /** The last event of a type and channel that an endpoint took from this node. */
  readonly lastDelivery: (
    appId: string,
    endpointId: string,
    type: string,
    channel: string,
  ) => LastDelivery | undefined;
  /** Epoch ms. */
  readonly now: () => number;
}

interface Question {
  readonly type: WebhookEventType;
  readonly channel: string;
}

export async function explainEvent(parts: ExplainParts, app: App, query: string): Promise<Reply> {
  const parameters = readParameters(query, ["event", "channel", "endpoint"]);
  if (typeof parameters === "string") return errorReply(400, parameters);
  const type = parameters.get("event");
  if (!isWebhookEventType(type)) return errorReply(400, eventProblem(type));
  const channel = parameters.get("channel");
  if (!channel) return errorReply(400, '"channel" is missing, the name of a channel is needed.');

  const { impossible, endpoints } = explain(app.settings, type, channel);
  const only = parameters.get("endpoint");
  const asked = endpoints.filter(({ endpoint }) => only === undefined || endpoint.id === only);
  if (only !== undefined && asked.length === 0) {
    return errorReply(404, `App ${quoted(app.id)} has no webhook endpoint ${quoted(only)}.`);
  }
  const statuses = new Map<string, EndpointStatus>();
  for (const status of await parts.operations.status(app.id)) {
    statuses.set(status.endpointId, status);
  }
  const described = asked.map((one) =>
    endpointFields(parts, app, { type, channel }, one, statuses.get(one.endpoint.id)),
  );
  return okReply(
    JSON.stringify({
      now_ms: parts.now(),
      event: type,
      channel,
      impossible,
      endpoints: await Promise.all(described),
    }),
  );
}

async function endpointFields(
  { operations, lastDelivery, now }: ExplainParts,
  app: App,
  { type, channel }: Question,
  { endpoint, isTaken, refusals }: EndpointExplanation,
  status: EndpointStatus | undefined,
): Promise<Readonly<Record<string, unknown>>> {
  const last = lastDelivery(app.id, endpoint.id, type, channel);
  const fields = { takes: isTaken, refusals, last_delivery: deliveryFields(last) };
  if (status === undefined) return { id: endpoint.id, ...fields, dead_letters_of_it: null };
  const standing = statusFields(status, endpoint.url, now());
  if (status.deadLetters === 0) return { ...standing, ...fields, dead_letters_of_it: null };
  const name = { appId: app.id, endpointId: endpoint.id };
  const step = { cursor: undefined, limit: MAX_STEP_LIMIT };
  const { letters, next } = await operations.deadLetters(name, { type, channel }, step);
  const latest = letters.at(-1);
  return {
    ...standing,
    ...fields,
    dead_letters_of_it: {
      found: letters.length,
      // One step looks at a bounded number: a larger heap is listed with its own route.
      is_complete: next === undefined,
      latest: latest === undefined ? null : letterFields(latest),
    },
  };
}

function deliveryFields(last: LastDelivery | undefined) {
  if (last === undefined) return null;
  const { eventId, channel, deliveredMs, latencyMs } = last;
  return { id: eventId, channel, delivered_ms: deliveredMs, latency_ms: latencyMs };
}
