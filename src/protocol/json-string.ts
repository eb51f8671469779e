/** Text as a JSON string, for what goes into a frame. */

/** Printable ASCII without the quote and the backslash: what JSON writes as it is. */
const NOTHING_TO_ESCAPE = /^[ !#-[\]-~]*$/;

/**
 * What JSON.stringify gives. Names and plain texts have nothing to escape, and looking costs a third of escaping:
 * 0.03 of 0.08 µs for a name, 0.08 of 0.20 µs for 140 characters. JSON as data has a quote at its beginning.
 */
export function jsonString(text: string): string {
  return NOTHING_TO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The text as it stands between the quotes of a JSON string. */
export function insideJsonString(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
