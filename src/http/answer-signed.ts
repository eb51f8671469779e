/** How a request is answered once it is known to come from the app's backend. */
import type { App } from "../apps/app.ts";
import type { ApiQuery } from "../protocol/api-query.ts";
import type { Reply } from "./reply.ts";
import type { RouteMatch } from "./routes.ts";
import type { Maybe } from "./when-ready.ts";

/** Answers a request whose head has been accepted. `body` is only read in this call. */
export type AnswerSigned = (
  match: RouteMatch,
  app: App,
  query: ApiQuery,
  body: Buffer,
) => Maybe<Reply>;
