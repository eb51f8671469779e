/** Defaults that are others when several nodes share a Redis: what waits there is durable and has more room. */
import { z } from "zod";
import { bare, defaultWithRedis } from "./fields.ts";
import { isRecord } from "./path.ts";

/** `input` with these defaults where it has `redis` and leaves the keys out. It may be anything. */
export function withRedisDefaults(schema: z.ZodObject, input: unknown): unknown {
  return isRecord(input) && isRecord(input.redis) ? filled(schema, input) : input;
}

function filled(
  schema: z.ZodObject,
  input: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const added: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(schema.shape)) {
    const inner = bare(field);
    const value = input[key];
    if (inner instanceof z.ZodObject && (value === undefined || isRecord(value))) {
      const before = value ?? {};
      const after = filled(inner, before);
      if (after !== before) added[key] = after;
    } else if (value === undefined && defaultWithRedis(field) !== undefined) {
      added[key] = defaultWithRedis(field);
    }
  }
  return Object.keys(added).length === 0 ? input : { ...input, ...added };
}
