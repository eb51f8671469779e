/**
 * The kinds of field that the schemas are made of, and what can be read back from one: its sentence, what it
 * allows, its other names. Problems, `config.schema.json` and the table in the docs all ask here, so that no
 * range is written down twice.
 */
import { z } from "zod";

/** A whole number with a range. `aliases` are further names of the key. */
export function wholeNumber(
  about: string,
  least: number,
  most: number,
  fallback: number,
  aliases: string[] = [],
) {
  return z.int().min(least).max(most).meta({ description: about, aliases }).default(fallback);
}

/** A whole number whose default depends on whether several nodes share a Redis: see redis-defaults.ts. */
export function wholeNumberByDeployment(
  about: string,
  least: number,
  most: number,
  alone: number,
  withRedis: number,
) {
  return z.int().min(least).max(most).meta({ description: about, withRedis }).default(alone);
}

/** A whole number where -1 switches the limit off; `null` and "" are read as -1 (protocol.md §8). */
export function limit(about: string, fallback: number, aliases: string[] = []) {
  return z.int().min(-1).max(MOST).meta({ description: about, aliases }).default(fallback);
}

/** A limit where 0 has always meant "no limit" too, so nobody can have meant "none" by it. */
export function connectionLimit(about: string) {
  return z
    .int()
    .min(-1)
    .max(MOST)
    .overwrite((most) => (most === 0 ? -1 : most))
    .meta({ description: about })
    .default(-1);
}

export function flag(about: string, fallback: boolean) {
  return z.boolean().meta({ description: about }).default(fallback);
}

/** A text of a certain form, which `allowed` says in words. `aliases` are further names of the key. */
export function text(about: string, allowed: string, form: RegExp, aliases: string[] = []) {
  return z.string().regex(form).meta({ description: about, allowed, aliases });
}

/** As {@link text}, for what people write as a number: ids and keys. Numbers are turned to text. */
export function label(about: string, allowed: string, form: RegExp) {
  return z.string().regex(form).meta({ description: about, allowed, acceptsNumbers: true });
}

/** What is left of a schema without its default and its being optional. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

/** The schema of what stands at `path`, or undefined where none is known. */
export function schemaAt(
  root: z.core.$ZodType,
  path: readonly PropertyKey[],
): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = root;
  for (const step of path) {
    const inner: z.core.$ZodType = bare(schema);
    if (inner instanceof z.ZodObject) schema = ownField(inner, String(step));
    else if (inner instanceof z.ZodArray) schema = inner.element;
    else return undefined;
    if (schema === undefined) return undefined;
  }
  return schema;
}

/** Whether a number's -1 means "no limit". */
export function isLimit(schema: z.core.$ZodType): boolean {
  const inner = bare(schema);
  return inner instanceof z.ZodNumber && inner.minValue === -1;
}

/** The sentence that says what the field is for. */
export function about(schema: z.core.$ZodType): string {
  return String(notes(schema).description ?? "");
}

/** Further names of the key, camelCase apart. */
export function aliases(schema: z.core.$ZodType): readonly string[] {
  const names = notes(schema).aliases;
  return Array.isArray(names) ? names.map(String) : [];
}

/** What is taken with `redis` where the key is left out; undefined: the same as without. */
export function defaultWithRedis(schema: z.core.$ZodType): number | undefined {
  const { withRedis } = notes(schema);
  return typeof withRedis === "number" ? withRedis : undefined;
}

export function acceptsNumbers(schema: z.core.$ZodType): boolean {
  return notes(schema).acceptsNumbers === true;
}

/** What may stand there, in words: `a whole number from 0 to 65535`. */
export function allowed(schema: z.core.$ZodType): string {
  const inner = bare(schema);
  const said = notes(schema).allowed;
  if (typeof said === "string") return said;
  if (inner instanceof z.ZodNumber) {
    if (isLimit(inner)) return "a whole number, or -1 for no limit";
    return `a whole number from ${inner.minValue} to ${inner.maxValue}`;
  }
  if (inner instanceof z.ZodBoolean) return "true or false";
  if (inner instanceof z.ZodEnum) return inner.options.join(", ").replace(/, (?=[^,]*$)/, " or ");
  if (inner instanceof z.ZodArray) return "a list";
  if (inner instanceof z.ZodObject || inner instanceof z.ZodRecord) return "an object";
  return "a text";
}

const MOST = 1_000_000_000;

function ownField(schema: z.ZodObject, key: string): z.core.$ZodType | undefined {
  return Object.hasOwn(schema.shape, key) ? schema.shape[key] : undefined;
}

function notes(schema: z.core.$ZodType): Readonly<Record<string, unknown>> {
  const inner = bare(schema);
  return inner instanceof z.ZodType ? (inner.meta() ?? {}) : {};
}
