/** Whether a webhook route names an endpoint that there is. */
import type { App } from "../apps/app.ts";
import type { WebhookOperations } from "../webhooks/operations.ts";
import { errorReply, quoted, type Reply } from "./reply.ts";

/** Ids that a refusal lists, so that a typing mistake is seen at once. */
const MOST_IDS_LISTED = 20;

/** The 404 for an endpoint that is neither configured nor has anything left, or undefined. */
export async function unknownEndpoint(
  operations: Pick<WebhookOperations, "status">,
  app: App,
  endpointId: string,
): Promise<Reply | undefined> {
  if (app.settings.webhooks.some(({ id }) => id === endpointId)) return undefined;
  const statuses = await operations.status(app.id);
  if (statuses.some((status) => status.endpointId === endpointId)) return undefined;
  const ids = statuses.map((status) => status.endpointId);
  const listed = ids.slice(0, MOST_IDS_LISTED).join(", ");
  const there = ids.length === 0 ? "it has none" : `it has ${listed}`;
  return errorReply(
    404,
    `App ${quoted(app.id)} has no webhook endpoint ${quoted(endpointId)}: ${there}.`,
  );
}
