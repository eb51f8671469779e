/** Checks the signatures that clients bring from their backend. Source: protocol.md §2.2, §4.1. */
import type { App } from "../apps/app.ts";
import { isSignedBy, splitAuth } from "../protocol/signature.ts";

/**
 * Why `auth` (`<app key>:<signature>`) does not vouch for `content`, as a sentence for the developer at the
 * other end, or undefined when it does. Any enabled key of the app will do.
 */
export function authProblem(app: App, auth: string, content: string): string | undefined {
  if (auth === "") return "A signature is needed here: auth is missing.";
  const parts = splitAuth(auth);
  if (parts === undefined) return "auth must have the form <app key>:<signature>.";
  const key = app.settings.keys.get(parts.key);
  if (key === undefined) {
    return `auth names the key ${JSON.stringify(parts.key.slice(0, 64))}, which is not an enabled key of this app.`;
  }
  if (isSignedBy(key.signingKey, content, parts.signature)) return undefined;
  return `The signature is wrong: expected the hex HMAC-SHA256, made with the secret of that key, of ${JSON.stringify(content.slice(0, 512))}.`;
}
