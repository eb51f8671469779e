/** The JSON that this room's scripts publish. */
import { messageText } from "../redis/message.ts";

/** The fields of a message; none of one that is no JSON object, since handlers of messages must not throw. */
export function readMessage(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    const fields: unknown = JSON.parse(messageText(bytes));
    return typeof fields === "object" && fields !== null ? (fields as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
