/** From the bytes of a body to what JSON.parse gives. */
import { isUtf8 } from "node:buffer";
import { errorReply, type Reply } from "./reply.ts";
import type { Maybe } from "./when-ready.ts";

/** Goes on with the parsed body. Bytes that are no UTF-8 are refused: parsing would replace them in silence. */
export function withJson(body: Buffer, next: (parsed: unknown) => Maybe<Reply>): Maybe<Reply> {
  if (!isUtf8(body)) return errorReply(400, "The body is not UTF-8.");
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return errorReply(400, `The body is not JSON: ${error.message}.`);
  }
  return next(parsed);
}
