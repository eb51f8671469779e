/** The webhook routes for operators: what waits, what died, and what to do about it. Source: protocol.md §6.11. */
import type { App } from "../apps/app.ts";
import type { WebhookOperations } from "../webhooks/operations.ts";
import type { AnswerSigned } from "./answer-signed.ts";
import { withJson } from "./json-body.ts";
import { errorReply, okReply, quoted, type Reply } from "./reply.ts";
import { changeWebhooks } from "./webhook-changes.ts";
import { unknownEndpoint } from "./webhook-endpoint.ts";
import { type ExplainParts, explainEvent } from "./webhook-explain.ts";
import { foundJson, letterFields, statusFields } from "./webhook-json.ts";
import { readLetterQuery, readParameters } from "./webhook-request.ts";

export interface WebhookRouteParts extends ExplainParts {
  readonly operations: WebhookOperations;
}

/** Some have nothing to say, and then their body may be left out. */
const NO_FIELDS = Buffer.from("{}");

export function createWebhookRoutes(parts: WebhookRouteParts): AnswerSigned {
  return (match, app, query, body) => {
    switch (match.name) {
      case "webhooks":
        return readStatus(parts, app, query.text);
      case "webhookExplain":
        return explainEvent(parts, app, query.text);
      case "webhookDeadLetters":
        return readDeadLetters(parts, app, match.subject, query.text);
      case "webhookEvent":
        return readEvent(parts, app, match.subject, match.eventId ?? "", query.text);
      default: {
        const refusal = readParameters(query.text, []);
        if (typeof refusal === "string") return errorReply(400, refusal);
        return withJson(body.length === 0 ? NO_FIELDS : body, (json) =>
          changeWebhooks(parts.operations, match, app, json),
        );
      }
    }
  };
}

async function readStatus(
  { operations, now }: WebhookRouteParts,
  app: App,
  query: string,
): Promise<Reply> {
  const parameters = readParameters(query, []);
  if (typeof parameters === "string") return errorReply(400, parameters);
  const urls = new Map(app.settings.webhooks.map(({ id, url }) => [id, url]));
  const statuses = await operations.status(app.id);
  const nowMs = now();
  const endpoints = statuses.map((one) => statusFields(one, urls.get(one.endpointId), nowMs));
  return okReply(JSON.stringify({ now_ms: nowMs, endpoints }));
}

async function readDeadLetters(
  { operations }: WebhookRouteParts,
  app: App,
  endpointId: string,
  query: string,
): Promise<Reply> {
  const read = readLetterQuery(query);
  if (typeof read === "string") return errorReply(400, read);
  const name = { appId: app.id, endpointId };
  const refusal = await unknownEndpoint(operations, app, endpointId);
  if (refusal !== undefined) return refusal;
  const { letters, next } = await operations.deadLetters(name, read.wanted, read.step);
  return okReply(JSON.stringify({ dead_letters: letters.map(letterFields), next: next ?? null }));
}

async function readEvent(
  { operations }: WebhookRouteParts,
  app: App,
  endpointId: string,
  eventId: string,
  query: string,
): Promise<Reply> {
  const parameters = readParameters(query, []);
  if (typeof parameters === "string") return errorReply(400, parameters);
  const name = { appId: app.id, endpointId };
  const refusal = await unknownEndpoint(operations, app, endpointId);
  if (refusal !== undefined) return refusal;
  const found = await operations.find(name, eventId);
  if (found !== undefined) return okReply(foundJson(found));
  return errorReply(
    404,
    `Event ${quoted(eventId)} neither waits for endpoint ${quoted(endpointId)} nor is it among its dead letters: it was delivered or dropped, or was never meant for it.`,
  );
}
