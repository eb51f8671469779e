/** `GET webhooks/explain`: why an event does not come, or where it stands. Source: protocol.md §6.11. */
import type { App } from "../apps/app.ts";
import { isWebhookEventType, type WebhookEventType } from "../protocol/webhook-event.ts";
import { type EndpointExplanation, explain } from "../webhooks/explain.ts";
import type { LastDelivery } from "../webhooks/last-deliveries.ts";
import type { EndpointStatus, EventStanding, WebhookOperations } from "../webhooks/operations.ts";
import { errorReply, okReply, quoted, type Reply } from "./reply.ts";
import { eventFields, letterFields, statusFields } from "./webhook-json.ts";
import { eventProblem, readParameters } from "./webhook-request.ts";

export interface ExplainParts {
  readonly operations: Pick<WebhookOperations, "status" | "standing">;
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
  if (status === undefined) return { id: endpoint.id, ...fields, ...standingFields(undefined) };
  const name = { appId: app.id, endpointId: endpoint.id };
  const hasSomething = status.backlog > 0 || status.deadLetters > 0;
  const standing = hasSomething ? await operations.standing(name, type, channel) : undefined;
  return {
    ...statusFields(status, endpoint.url, now()),
    ...fields,
    ...standingFields(standing),
  };
}

/** Null: the endpoint has nothing at all. */
function standingFields(standing: EventStanding | undefined) {
  if (standing === undefined) return { waiting_of_it: null, dead_letters_of_it: null };
  const { waiting, dead } = standing;
  const { oldest } = waiting;
  const { latest } = dead;
  return {
    waiting_of_it: {
      found: waiting.found,
      is_complete: waiting.isComplete,
      oldest: oldest === undefined ? null : eventFields(oldest),
    },
    dead_letters_of_it: {
      found: dead.found,
      latest: latest === undefined ? null : letterFields(latest),
    },
  };
}

function deliveryFields(last: LastDelivery | undefined) {
  if (last === undefined) return null;
  const { eventId, channel, deliveredMs, latencyMs } = last;
  return { id: eventId, channel, delivered_ms: deliveredMs, latency_ms: latencyMs };
}
