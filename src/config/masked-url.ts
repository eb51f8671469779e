/** A URL for the eyes of people. Tokens stand anywhere in one: in the user, the path, the query, the fragment. */

/** What stands in place of a secret. */
export const HIDDEN = "********";

/** Parts that name an interface, a version or a database, and are no tokens: `services`, `v1`, `0`. */
const PLAIN_PART = /^([a-z-]{1,24}|v?\d{1,3})$/;

/**
 * `text` as it is, unless it is a URL with more than a host: then scheme, host, port, the name of a user with a
 * password, and the first part of the path when that is a short plain word. The rest is one row of stars.
 */
export function maskedUrl(text: string): string {
  if (!text.includes("://") || !URL.canParse(text)) return text;
  const { protocol, username, password, host, pathname, search, hash } = new URL(text);
  const [, first = "", ...rest] = pathname.split("/");
  const isPlain = PLAIN_PART.test(first);
  const hasMore = rest.length > 0 || search !== "" || hash !== "" || (!isPlain && first !== "");
  if (!hasMore && username === "" && password === "") return text;
  const user = password === "" ? HIDDEN : `${username}:${HIDDEN}`;
  const before = username === "" && password === "" ? "" : `${user}@`;
  const path = isPlain ? `/${first}` : "";
  return `${protocol}//${before}${host}${path}${hasMore ? `/${HIDDEN}` : ""}`;
}
