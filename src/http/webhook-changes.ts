/** `POST webhooks/{endpoint}/replay` and the other routes that change something. Source: protocol.md §6.11. */
import type { App } from "../apps/app.ts";
import type {
  EndpointName,
  Refused,
  Step,
  StepResult,
  Wanted,
  WebhookOperations,
} from "../webhooks/operations.ts";
import { EMPTY_REPLY, errorReply, okReply, type Reply } from "./reply.ts";
import type { RouteMatch } from "./routes.ts";
import { unknownEndpoint } from "./webhook-endpoint.ts";
import {
  emptyBodyProblem,
  isBacklogBody,
  readBacklogBody,
  readLetterBody,
  readMoveBody,
} from "./webhook-request.ts";

/** A change that is ready to be made; `isContinued`: an earlier step of it was made already. */
interface Change {
  readonly isContinued: boolean;
  make(): Promise<StepResult | Refused | undefined>;
}

type MakeLetterChange = (wanted: Wanted, step: Step) => Promise<StepResult | Refused>;

/** `body` is what JSON.parse gave. */
export async function changeWebhooks(
  operations: WebhookOperations,
  match: RouteMatch,
  app: App,
  body: unknown,
): Promise<Reply> {
  const name = { appId: app.id, endpointId: match.subject };
  const change = readChange(operations, match, name, body);
  if (typeof change === "string") return errorReply(400, change);
  // The last step may have taken the last that a removed endpoint had left.
  if (!change.isContinued) {
    const refusal = await unknownEndpoint(operations, app, name.endpointId);
    if (refusal !== undefined) return refusal;
  }
  const result = await change.make();
  if (result === undefined) return EMPTY_REPLY;
  if ("refused" in result) return errorReply(409, result.refused);
  return okReply(JSON.stringify({ changed: result.changed, next: result.next ?? null }));
}

function readChange(
  operations: WebhookOperations,
  match: RouteMatch,
  name: EndpointName,
  body: unknown,
): Change | string {
  switch (match.name) {
    case "webhookReplay":
      return readLetterChange(body, (wanted, step) => operations.replay(name, wanted, step));
    case "webhookDrop":
      if (isBacklogBody(body)) return readBacklogChange(operations, name, body);
      return readLetterChange(body, (wanted, step) => operations.drop(name, wanted, step));
    case "webhookMove": {
      const read = readMoveBody(body);
      if (typeof read === "string") return read;
      const { to, step } = read;
      return {
        isContinued: step.cursor !== undefined,
        make: () => operations.move(name, to, step),
      };
    }
    case "webhookPause":
      return readSignal(body, () => operations.pause(name));
    case "webhookResume":
      return readSignal(body, () => operations.resume(name).then(nothing));
    case "webhookRetry":
      return readSignal(body, () => operations.retry(name));
    default:
      throw new Error(`The route ${match.name} changes no webhooks.`);
  }
}

function readLetterChange(body: unknown, make: MakeLetterChange): Change | string {
  const read = readLetterBody(body);
  if (typeof read === "string") return read;
  const { wanted, step } = read;
  return { isContinued: step.cursor !== undefined, make: () => make(wanted, step) };
}

function readBacklogChange(
  operations: WebhookOperations,
  name: EndpointName,
  body: unknown,
): Change | string {
  const step = readBacklogBody(body);
  if (typeof step === "string") return step;
  return {
    isContinued: step.cursor !== undefined,
    make: () => operations.dropBacklog(name, step),
  };
}

/** A change without choice: of an endpoint as a whole. */
function readSignal(body: unknown, make: () => Promise<Refused | undefined>): Change | string {
  const problem = emptyBodyProblem(body);
  if (problem !== undefined) return problem;
  return { isContinued: false, make };
}

function nothing(): undefined {
  return undefined;
}
