/** Whether a receiver should take a delivery, and what is wrong when not. Source: protocol.md §7.1. */
import { isSignedBy, signingKey } from "../protocol/signature.ts";
import type { KeyPair } from "./webhooks-access.ts";
import { ageText } from "./webhooks-text.ts";

export interface Presented {
  /** `X-Pusher-Key`; undefined when there is none. */
  readonly key: string | undefined;
  /** `X-Pusher-Signature`, likewise. */
  readonly signature: string | undefined;
  /** Undefined: not known. */
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

export interface Verdict {
  /** Why every receiver refuses it; undefined: it is genuine. */
  readonly refusal: string | undefined;
  /** What some receivers refuse it for, one sentence each. */
  readonly notes: readonly string[];
}

/** Past this age the Python library refuses a webhook, either way. */
const MAX_AGE_S = 300;

const HEX = /^[0-9a-f]{64}$/;

/** `pairs`: the app's keys. An undefined `key` is only refused where `needsKey` says so. */
export function judge(
  { key, signature, contentType, body }: Presented,
  pairs: readonly KeyPair[],
  nowMs: number,
  needsKey = true,
): Verdict {
  const notes: string[] = [];
  if (contentType !== undefined && contentType !== "application/json") {
    const found = JSON.stringify(contentType);
    notes.push(
      `Content-Type is ${found}: the Node and Ruby libraries take exactly "application/json".`,
    );
  }
  const refusal =
    keyRefusal(key, pairs, needsKey) ?? signatureRefusal(key, signature, body, pairs) ?? undefined;
  const timeMs = timeOf(body);
  if (timeMs === undefined) {
    const unread = 'The body is no JSON with a whole number in "time_ms".';
    return { refusal: refusal ?? unread, notes };
  }
  const ageS = Math.round((nowMs - timeMs) / 1_000);
  if (Math.abs(ageS) > MAX_AGE_S) {
    const age = ageText(Math.abs(ageS) * 1_000);
    const side = ageS > 0 ? `${age} old` : `${age} ahead of this machine's clock`;
    notes.push(`time_ms is ${side}: the Python library refuses more than ${MAX_AGE_S} s.`);
  }
  return { refusal, notes };
}

function keyRefusal(
  key: string | undefined,
  pairs: readonly KeyPair[],
  needsKey: boolean,
): string | undefined {
  if (key === undefined) return needsKey ? "Wrong key: X-Pusher-Key is missing." : undefined;
  if (pairs.some((pair) => pair.key === key)) return undefined;
  const known = pairs.map((pair) => pair.key).join(", ");
  return `Wrong key: X-Pusher-Key is ${JSON.stringify(key.slice(0, 64))}, the app has ${known}.`;
}

function signatureRefusal(
  key: string | undefined,
  signature: string | undefined,
  body: Buffer,
  pairs: readonly KeyPair[],
): string | undefined {
  if (signature === undefined) return "Wrong signature: X-Pusher-Signature is missing.";
  if (!HEX.test(signature)) {
    return `Wrong signature: it has ${signature.length} characters, 64 of 0-9 and a-f are needed.`;
  }
  const signers = pairs.filter((pair) => isSigner(pair, body, signature));
  if (signers.some((pair) => key === undefined || pair.key === key)) return undefined;
  const [other] = signers;
  if (other !== undefined) {
    return `Wrong key: the signature is that of key ${other.key}, X-Pusher-Key names another.`;
  }
  for (const [change, variant] of variantsOf(body)) {
    if (pairs.some((pair) => isSigner(pair, variant, signature))) {
      return `Body changed: ${change}. The signature covers the bytes as they were sent.`;
    }
  }
  return "Wrong signature: made with another secret, or the body was changed on the way.";
}

function isSigner({ secret }: KeyPair, body: Buffer, signature: string): boolean {
  return isSignedBy(signingKey(secret), body, signature);
}

/** What commonly happens to a body on its way, and the body as it was before. */
function variantsOf(body: Buffer): readonly (readonly [string, Buffer])[] {
  const text = body.toString();
  const variants: (readonly [string, Buffer])[] = [];
  const trimmed = text.trim();
  if (trimmed !== text) {
    variants.push(["white space was added around it", Buffer.from(trimmed)]);
  }
  try {
    const compact = JSON.stringify(JSON.parse(text));
    if (compact !== trimmed) variants.push(["its JSON was written anew", Buffer.from(compact)]);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return variants;
}

function timeOf(body: Buffer): number | undefined {
  try {
    const json: unknown = JSON.parse(body.toString());
    if (typeof json !== "object" || json === null || !("time_ms" in json)) return undefined;
    return Number.isInteger(json.time_ms) ? Number(json.time_ms) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
