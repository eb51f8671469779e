/** Says what is wrong with a configuration: one line per problem, with path, found, allowed and the way out. */
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { allowed, bare, schemaAt } from "./fields.ts";
import { HIDDEN, maskedUrl } from "./masked-url.ts";
import { pathText, valueAt } from "./path.ts";
import { snakeCase } from "./spelling.ts";

/** `path` is what the line is about; two problems with one path are one. */
export interface Problem {
  readonly path: string;
  readonly text: string;
}

/** What the schema refused in `input`, in our words. */
export function schemaProblems(
  root: z.core.$ZodType,
  input: unknown,
  issues: readonly z.core.$ZodIssue[],
): readonly Problem[] {
  return issues.flatMap((issue): Problem[] => {
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => unknownKey(root, issue.path, key));
    }
    const found = valueAt(input, issue.path);
    const schema = schemaAt(root, issue.path);
    return [
      {
        path: pathText(issue.path),
        text: mismatch(issue.path, found, wanted(issue, found, schema)),
      },
    ];
  });
}

/** `found 70000, allowed: a whole number from 0 to 65535`. */
export function mismatch(path: readonly PropertyKey[], found: unknown, wanted: string): string {
  if (found === undefined) return `is missing, needed: ${wanted}`;
  return `found ${foundText(path, found)}, allowed: ${wanted}`;
}

/** `, did you mean "port"?`, or nothing when no candidate is near. */
export function didYouMean(name: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return "";
  const near = closest(name, candidates);
  const far = Math.max(2, Math.floor(name.length / 3));
  return distance(name, near) <= far ? `, did you mean ${JSON.stringify(near)}?` : "";
}

/** A value for people: short, and nothing that is secret. */
export function foundText(path: readonly PropertyKey[], found: unknown): string {
  if (path.some((step) => SECRET_KEYS.has(String(step)))) return "a value that is not shown";
  if (Array.isArray(found)) return found.length === 0 ? "an empty list" : "a list";
  if (typeof found === "object" && found !== null) return "an object";
  const text = String(JSON.stringify(shown(path, found))).replace(/\/\/[^/@\s]*@/g, "//***@");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

/** Keys whose values are never shown, nor what is inside them. */
export const SECRET_KEYS: ReadonlySet<string> = new Set([
  "secret",
  "passphrase",
  "password",
  "sentinel_password",
  "headers",
  "client_key",
]);

const LONGEST = 80;

/** A URL that cannot be read as one has its token where any other has it. */
function shown(path: readonly PropertyKey[], found: unknown): unknown {
  if (typeof found !== "string") return found;
  if (path.at(-1) !== "url") return maskedUrl(found);
  return maskedUrl(found).replace(/[?#].*$/s, HIDDEN);
}

function wanted(
  issue: z.core.$ZodIssue,
  found: unknown,
  schema: z.core.$ZodType | undefined,
): string {
  if (issue.code === "custom" && issue.message !== "Invalid input") return issue.message;
  if (schema === undefined) return "a text";
  const inner = bare(schema);
  const near = inner instanceof z.ZodEnum && didYouMean(String(found), inner.options.map(String));
  return `${allowed(schema)}${near || ""}`;
}

function unknownKey(root: z.core.$ZodType, path: readonly PropertyKey[], key: string): Problem {
  const schema = schemaAt(root, path);
  const inner = schema && bare(schema);
  const known = inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
  const near = didYouMean(snakeCase(key), known);
  const list = known.length > 12 ? "see docs/configuration.md" : `known here: ${known.join(", ")}`;
  const text = `unknown key${near || `; ${list}`}`;
  return { path: pathText([...path, key]), text };
}
