/** The configuration for the eyes of people: with every secret hidden. */
import { HIDDEN, maskedUrl } from "./masked-url.ts";
import { isRecord } from "./path.ts";
import { SECRET_KEYS } from "./problems.ts";

/** A copy of `value` in which secrets, passphrases, passwords, custom headers and most of each URL are stars. */
export function maskSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value === "string") return maskedUrl(value);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      SECRET_KEYS.has(key) ? hide(part) : maskSecrets(part),
    ]),
  );
}

function hide(value: unknown): unknown {
  if (!isRecord(value)) return value === undefined ? undefined : HIDDEN;
  return Object.fromEntries(Object.keys(value).map((key) => [key, HIDDEN]));
}
