/** Hands a delivery on to a receiver under development: the same bytes and headers. */
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";

/** What the receiver answered, or why it did not. */
export type Forwarded =
  | { readonly status: number; readonly retryAfter: string | undefined }
  | { readonly reason: string };

const TIMEOUT_MS = 30_000;
/** Those of one connection, and the one that names the host. */
const HOP_HEADERS: ReadonlySet<string> = new Set([
  "host",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "content-length",
  "expect",
]);

/** Waits for the answer no longer than `gone`, when whoever sent the delivery waits no more. Never rejects. */
export function forward(
  url: URL,
  headers: IncomingHttpHeaders,
  body: Buffer,
  gone: AbortSignal,
): Promise<Forwarded> {
  const kept = Object.entries(headers).filter(([name]) => !HOP_HEADERS.has(name));
  return new Promise((resolve) => {
    const request = url.protocol === "https:" ? httpsRequest : httpRequest;
    const sent = request(
      url,
      {
        method: "POST",
        headers: { ...Object.fromEntries(kept), "content-length": body.length },
        timeout: TIMEOUT_MS,
        signal: gone,
      },
      (response) => {
        response.resume();
        const retryAfter = response.headers["retry-after"];
        resolve({ status: response.statusCode ?? 0, retryAfter });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS / 1_000} s`)));
    sent.on("error", (error) => {
      if (gone.aborted) return resolve({ reason: "the sender gave up first" });
      const code = "code" in error ? String(error.code) : error.message;
      resolve({ reason: code });
    });
    sent.end(body);
  });
}
