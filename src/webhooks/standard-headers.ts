/** The headers of Standard Webhooks, for receivers that verify so. Source: standardwebhooks.com, 1.0.0. */
import { createHmac, type KeyObject } from "node:crypto";

/**
 * The time is that of the attempt, since receivers refuse one that is 5 minutes old; the id stays. A receiver's
 * secret is `whsec_` and the app's secret in base64, which makes the app's own key the one to sign with.
 */
export function standardHeaders(
  key: KeyObject,
  delivery: string,
  nowMs: number,
  body: Uint8Array,
): Record<string, string> {
  const timestampS = String(Math.floor(nowMs / 1_000));
  const signature = createHmac("sha256", key)
    .update(`${delivery}.${timestampS}.`)
    .update(body)
    .digest("base64");
  return {
    "webhook-id": delivery,
    "webhook-timestamp": timestampS,
    "webhook-signature": `v1,${signature}`,
  };
}
