/**
 * Turns the spellings that people bring into the canonical one, before the schema looks: camelCase and other
 * names of a key, numbers and switches written as text, `null` for "not set" (protocol.md §8). It never
 * refuses; what it does not understand stays as it was, for the schema to name.
 */
import { z } from "zod";
import { acceptsNumbers, aliases, bare, isLimit } from "./fields.ts";
import { foreignKey, reshape } from "./foreign-keys.ts";
import { isRecord, pathText } from "./path.ts";

/** `input` as `schema` wants it spelled. What was left out or overruled on the way is added to `warnings`. */
export function respell(
  schema: z.core.$ZodType,
  input: unknown,
  warnings: string[],
  path: readonly PropertyKey[] = [],
): unknown {
  if (input === null) return isLimit(schema) ? -1 : undefined;
  const inner = bare(schema);
  const value = typeof input === "string" ? fromText(inner, input) : input;
  if (inner instanceof z.ZodObject && isRecord(value)) {
    return respellObject(inner, value, warnings, path);
  }
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((part, index) => respell(inner.element, part, warnings, [...path, index]));
  }
  if (typeof value === "number" && acceptsNumbers(schema)) return String(value);
  return value;
}

/** Every spelling of the keys of `schema`, in snake_case, with the canonical one. */
export function spellings(schema: z.ZodObject): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [key, field] of Object.entries(schema.shape)) {
    for (const name of [key, ...aliases(field)]) names.set(name, key);
  }
  return names;
}

/** `maxConnections` and `MaxConnections` as `max_connections`. */
export function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, "");
}

/** `max_connections` as `maxConnections`. */
export function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function respellObject(
  schema: z.ZodObject,
  input: Readonly<Record<string, unknown>>,
  warnings: string[],
  path: readonly PropertyKey[],
): unknown {
  const names = spellings(schema);
  const given = new Map<string, unknown>();
  const canonical = new Set<string>();
  const reshaped = reshape(schema, input, (key) => names.has(snakeCase(key)), warn);
  if (reshaped === undefined) return undefined;
  for (const [key, value] of Object.entries(reshaped)) {
    const name = names.get(key) ?? names.get(snakeCase(key));
    const advice = name === undefined ? foreignKey(schema, snakeCase(key)) : undefined;
    if (advice !== undefined) {
      warn(key, `means nothing here and is ignored. ${advice}`);
    } else if (name === undefined) {
      given.set(key, value);
    } else if (given.has(name) && canonical.has(name)) {
      warn(key, `ignored, because ${JSON.stringify(name)} is given too.`);
    } else {
      if (given.has(name)) warn(name, "given in two spellings; this one counts.");
      if (key === name) canonical.add(name);
      const field = schema.shape[name];
      const read = field && respell(field, value, warnings, [...path, name]);
      if (read !== undefined) given.set(name, read);
    }
  }
  return Object.fromEntries(given); // makes own keys only, also of one called __proto__

  function warn(key: string, what: string): void {
    warnings.push(`${pathText([...path, key])}: ${what.trim()}`);
  }
}

/** Text from the environment, a placeholder or another server's file, as what the schema wants instead. */
function fromText(schema: z.core.$ZodType, text: string): unknown {
  const trimmed = text.trim();
  if (schema instanceof z.ZodNumber) {
    if (trimmed === "") return isLimit(schema) ? -1 : undefined;
    return /^-?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : text;
  }
  if (schema instanceof z.ZodBoolean) {
    if (trimmed === "") return undefined;
    return SWITCHES.get(trimmed.toLowerCase()) ?? text;
  }
  if (schema instanceof z.ZodObject || schema instanceof z.ZodRecord) {
    return /^\{/.test(trimmed) ? fromJson(trimmed) : text;
  }
  if (!(schema instanceof z.ZodArray)) return text;
  if (/^\[/.test(trimmed)) return fromJson(trimmed);
  if (bare(schema.element) instanceof z.ZodObject) return trimmed === "" ? [] : text;
  return trimmed === "" ? [] : trimmed.split(",").map((part) => part.trim());
}

const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
