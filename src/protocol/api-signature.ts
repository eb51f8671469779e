/**
 * What the signature of an API request covers, and whether it is right. Source: protocol.md §6.1.
 *
 * The path is signed as the library wrote it. On its way a proxy may percent-encode it or strip a prefix,
 * and PHP does not sign its own prefix: so each form that the sender may have signed is tried.
 */
import { hash } from "node:crypto";
import { type ApiQuery, percentDecoded } from "./api-query.ts";
import { isSignedBy, type SigningKey } from "./signature.ts";

/** How far a request's clock may be from the server's, either way, in seconds. */
export const MAX_CLOCK_SKEW_S = 600;

/** The only value of `auth_version`. */
export const AUTH_VERSION = "1.0";

/** The MD5 of a body's exact bytes as 32 lowercase hex digits. */
export function bodyMd5(body: Uint8Array): string {
  return hash("md5", body, "hex");
}

/** The string that `auth_signature` is the HMAC-SHA256 of. `method` is upper case. */
export function apiContent(method: string, path: string, signedParams: string): string {
  return `${method}\n${path}\n${signedParams}`;
}

/**
 * Every path that the sender may have signed, likeliest first: `path`, which has no prefix, and `prefix` before
 * it, each as on the wire and percent-decoded. `prefix` is empty or begins with a slash.
 */
export function signablePaths(path: string, prefix: string): readonly string[] {
  const paths = prefix === "" ? [path] : [path, prefix + path];
  if (!path.includes("%")) return paths;
  return [...paths, ...paths.map(percentDecoded)];
}

/** Whether the query's signature was made with `key` over one of `paths`. */
export function isSignedRequest(
  key: SigningKey,
  method: string,
  paths: readonly string[],
  query: ApiQuery,
): boolean {
  const signature = query.authSignature;
  if (signature === undefined) return false;
  return paths.some((path) =>
    isSignedBy(key, apiContent(method, path, query.signedParams), signature),
  );
}
