/** The configuration for the eyes of people: with every secret hidden. */
import { isRecord } from "./path.ts";
import { SECRET_KEYS } from "./problems.ts";

const HIDDEN = "********";

/** A copy of `value` in which secrets, passwords, custom headers and the queries and passwords of URLs are stars. */
export function maskSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value === "string") return maskUrl(value);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      SECRET_KEYS.has(key) ? hide(part) : maskSecrets(part),
    ]),
  );
}

function maskUrl(text: string): string {
  return text
    .replace(/^(https?:[^?]*\?).+$/, `$1${HIDDEN}`)
    .replace(/^([a-z]+:\/\/[^/@:]*:)[^/@]+@/, `$1${HIDDEN}@`);
}

function hide(value: unknown): unknown {
  if (!isRecord(value)) return value === undefined ? undefined : HIDDEN;
  return Object.fromEntries(Object.keys(value).map((key) => [key, HIDDEN]));
}
