/** The configuration for the eyes of people: with every secret hidden. */
import { isRecord } from "./path.ts";
import { SECRET_KEYS } from "./problems.ts";

const HIDDEN = "********";

/** A copy of `value` in which secrets, passphrases, custom headers and the queries of URLs are stars. */
export function maskSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value === "string") return value.replace(/^(https?:[^?]*\?).+$/, `$1${HIDDEN}`);
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
