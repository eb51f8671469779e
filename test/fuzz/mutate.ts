/** Spoils what is valid, always in the same way for the same random numbers. */

/** From 0 to below 1. */
export type Random = () => number;

/** Values that guards forget. */
const NASTY: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  0.5,
  1e308,
  -1e308,
  2 ** 31,
  2 ** 53,
  "",
  " ",
  "0",
  "null",
  "\u0000",
  "\ud800",
  "\udfff\ud800",
  "\u202e\u2028\ufeff",
  "😀".repeat(100),
  "x".repeat(300),
  "x".repeat(12_000),
  "__proto__",
  "constructor",
  "toString",
  "#server-to-user-",
  "#server-to-user-u1",
  "private-encrypted-cache-",
  "presence-",
  "pusher:subscribe",
  "pusher_internal:member_added",
  "client-",
  "1.1",
  "{}",
  "[]",
  '{"user_id":{}}',
  [],
  [[]],
  {},
  { length: 1e9 },
  { toString: null, valueOf: null, toJSON: null },
  [null, [null, {}], "x", 1],
];

/** Keys that are known elsewhere, or to every object. */
const NAMES = [
  "event",
  "data",
  "channel",
  "channels",
  "batch",
  "name",
  "id",
  "",
  "__proto__",
  "toJSON",
];

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

function upTo(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

/** A value of `NASTY`, or nesting of up to 3,000 levels. */
function nastyJson(random: Random): string {
  if (random() < 0.97) return JSON.stringify(pick(random, NASTY));
  const levels = upTo(random, random() < 0.1 ? 3_000 : 100);
  return random() < 0.5
    ? "[".repeat(levels) + "]".repeat(levels)
    : `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
}

/** `value` with one of its parts, at any depth, replaced, renamed, doubled or taken out, as JSON text. */
function spoiledTree(random: Random, value: unknown): string {
  const isLeaf = typeof value !== "object" || value === null;
  if (isLeaf || random() < 0.15) return nastyJson(random);
  if (Array.isArray(value)) {
    const at = upTo(random, value.length);
    const items = value.map((item, n) =>
      n === at ? spoiledTree(random, item) : JSON.stringify(item),
    );
    if (random() < 0.2) items.push(...items);
    return `[${items.join()}]`;
  }
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  const at = upTo(random, entries.length);
  const fields = entries.flatMap(([name, field], n) => {
    if (n !== at) return [`${JSON.stringify(name)}:${JSON.stringify(field)}`];
    const how = random();
    if (how < 0.1) return [];
    const nameJson = how < 0.2 ? JSON.stringify(pick(random, NAMES)) : JSON.stringify(name);
    const once = `${nameJson}:${spoiledTree(random, inner(random, field))}`;
    return how < 0.3 ? [once, `"__proto__":${nastyJson(random)}`, once] : [once];
  });
  return `{${fields.join()}}`;
}

/** Now and then what a string holds as JSON is spoiled instead of the string. */
function inner(random: Random, field: unknown): unknown {
  if (typeof field !== "string" || !field.startsWith("{") || random() < 0.5) return field;
  return JSON.parse(field);
}

/** Characters flipped, cut, doubled or put in. The result has an encoding in UTF-8. */
function spoiledText(random: Random, text: string): string {
  const at = upTo(random, text.length);
  const to = at + upTo(random, text.length - at);
  const how = random();
  if (how < 0.2) return text.slice(0, at);
  if (how < 0.4) return text.slice(0, to) + text.slice(at);
  if (how < 0.5) return text.slice(0, at) + text.slice(to);
  if (how < 0.6) return text.slice(0, at) + nastyJson(random) + text.slice(at);
  const characters = text.split("");
  for (let n = upTo(random, 6); n >= 0; n--) {
    const where = upTo(random, characters.length);
    const code = text.charCodeAt(where) ^ (1 << upTo(random, 8));
    characters[where] = String.fromCharCode(code || 32);
  }
  return characters.join("");
}

/** A message like `message`, spoiled in its meaning or in its text, or (one in twenty) as it is. */
export function mutated(random: Random, message: unknown): string {
  const how = random();
  if (how < 0.05) return JSON.stringify(message);
  const text = how < 0.65 ? spoiledTree(random, message) : JSON.stringify(message);
  return how < 0.55 ? text : spoiledText(random, text);
}

/** Bytes with some bits flipped, some cut out or doubled: no longer UTF-8, a frame or a request. */
export function mutatedBytes(random: Random, bytes: Buffer): Buffer {
  const at = upTo(random, bytes.length);
  const how = random();
  if (how < 0.2) return bytes.subarray(0, at);
  if (how < 0.4) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at >> 1)]);
  const copy = Buffer.from(bytes);
  for (let n = upTo(random, 8); n >= 0; n--) {
    const where = upTo(random, copy.length);
    copy[where] = (copy[where] ?? 0) ^ (1 << upTo(random, 8));
  }
  return copy;
}
