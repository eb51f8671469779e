/** Whether a request to the API comes from a backend of the app. Source: protocol.md §6.1. */
import type { App } from "../apps/app.ts";
import type { ApiQuery } from "../protocol/api-query.ts";
import {
  AUTH_VERSION,
  apiContent,
  bodyMd5,
  isSignedRequest,
  MAX_CLOCK_SKEW_S,
  signablePaths,
} from "../protocol/api-signature.ts";
import { errorReply, quoted, type Reply } from "./reply.ts";

/** What a signature covers besides the query. */
export interface SignedHead {
  /** Upper case. */
  readonly method: string;
  /** As on the wire, without the path prefix. */
  readonly path: string;
  readonly pathPrefix: string;
}

const DIGITS = /^\d{1,15}$/;
/** Longest string to sign that a refusal repeats, in characters. */
const MAX_CONTENT_LENGTH = 512;

/** The refusal of a request whose key, timestamp or signature is wrong, or undefined. Needs no body. */
export function authRefusal(
  app: App,
  { method, path, pathPrefix }: SignedHead,
  query: ApiQuery,
  nowMs: number,
  { servesDisabledApps }: { readonly servesDisabledApps: boolean } = { servesDisabledApps: false },
): Reply | undefined {
  const { keys, enabled } = app.settings;
  const key = query.authKey === undefined ? undefined : keys.get(query.authKey);
  if (key === undefined) {
    return errorReply(
      401,
      `auth_key is ${quoted(query.authKey)}, an enabled key of app ${quoted(app.id)} is needed.`,
    );
  }
  if (!enabled && !servesDisabledApps) return errorReply(403, `App ${quoted(app.id)} is disabled.`);
  // Left out by scripts that were written against less strict servers; the libraries always send it.
  if (query.authVersion !== undefined && query.authVersion !== AUTH_VERSION) {
    return errorReply(401, `auth_version is ${quoted(query.authVersion)}, "1.0" is needed.`);
  }
  const timestampRefusal = clockRefusal(query.authTimestamp, nowMs);
  if (timestampRefusal !== undefined) return timestampRefusal;
  if (query.authSignature === undefined) return errorReply(401, "auth_signature is missing.");

  if (isSignedRequest(key.signingKey, method, signablePaths(path, pathPrefix), query)) {
    return undefined;
  }
  const content = apiContent(method, path, query.signedParams).slice(0, MAX_CONTENT_LENGTH);
  return errorReply(
    401,
    `auth_signature is wrong: the HMAC-SHA256 hex digest, made with the app's secret, of ${JSON.stringify(content)} is needed.`,
  );
}

function clockRefusal(authTimestamp: string | undefined, nowMs: number): Reply | undefined {
  if (authTimestamp === undefined || !DIGITS.test(authTimestamp)) {
    return errorReply(
      401,
      `auth_timestamp is ${quoted(authTimestamp)}, a Unix time in seconds is needed.`,
    );
  }
  const skewS = Math.abs(nowMs / 1_000 - Number(authTimestamp));
  if (skewS <= MAX_CLOCK_SKEW_S) return undefined;
  return errorReply(
    401,
    `auth_timestamp is ${Math.round(skewS)} s away from the server's clock (${Math.floor(nowMs / 1_000)}), ${MAX_CLOCK_SKEW_S} s are allowed.`,
  );
}

/**
 * The refusal of a body that is not the one signed for, or undefined. Without a body the digest may be left
 * out; the Python library sends it with every GET.
 */
export function bodyRefusal(query: ApiQuery, body: Buffer): Reply | undefined {
  if (query.bodyMd5 === undefined) {
    return body.length === 0
      ? undefined
      : errorReply(401, `body_md5 is missing, a body of ${body.length} bytes needs it.`);
  }
  const md5 = bodyMd5(body);
  if (query.bodyMd5 === md5) return undefined;
  return errorReply(
    401,
    `body_md5 is ${quoted(query.bodyMd5)}, the MD5 of the ${body.length} bytes received is ${md5}.`,
  );
}
