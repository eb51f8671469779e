/**
 * HMAC-SHA256 signatures as lowercase hex, made and compared. Source: protocol.md, golden rule 3.
 * What is signed is always the exact string or bytes received, never something written anew.
 */
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";

/** An app's secret as a key object: made once when the app is loaded, cheaper to use, never printed. */
export function signingKey(secret: string): KeyObject {
  return createSecretKey(Buffer.from(secret, "utf8"));
}

/** The signature of `content` as 64 lowercase hex digits. */
export function sign(key: KeyObject, content: string | Uint8Array): string {
  return createHmac("sha256", key).update(content).digest("hex");
}

/** Whether `signature` is that of `content`; the time taken does not depend on where they differ. */
export function isSignedBy(
  key: KeyObject,
  content: string | Uint8Array,
  signature: string,
): boolean {
  const expected = Buffer.from(sign(key, content), "latin1");
  const given = Buffer.from(signature, "utf8");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The two halves of an `auth` string, `<app key>:<signature>`, or undefined when it has no colon. */
export function splitAuth(auth: string): { key: string; signature: string } | undefined {
  const at = auth.indexOf(":");
  return at === -1 ? undefined : { key: auth.slice(0, at), signature: auth.slice(at + 1) };
}

/** What a subscription's signature covers. `channelData` is appended whenever the client sent it (§2.2). */
export function subscriptionContent(
  socketId: string,
  channel: string,
  channelData: string | undefined,
): string {
  return channelData === undefined
    ? `${socketId}:${channel}`
    : `${socketId}:${channel}:${channelData}`;
}

/** What a sign-in's signature covers (§4.1). */
export function signInContent(socketId: string, userData: string): string {
  return `${socketId}::user::${userData}`;
}
