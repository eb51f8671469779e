/**
 * `config.schema.json`: the schema as editors read it. Beside the canonical keys it lists their other
 * spellings as deprecated, and lets a placeholder stand where a number or a switch is wanted.
 */
import { z } from "zod";
import { configSchema } from "./config-schema.ts";
import { acceptsNumbers, aliases, bare, isLimit } from "./fields.ts";
import { camelCase } from "./spelling.ts";

export type JsonSchema = z.core.JSONSchema.BaseSchema;

export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ jsonSchema }) => {
      delete jsonSchema.allowed;
      delete jsonSchema.aliases;
      delete jsonSchema.acceptsNumbers;
      if (typeof jsonSchema.withRedis === "number") {
        jsonSchema.description = `${jsonSchema.description} With redis the default is ${jsonSchema.withRedis}.`;
      }
      delete jsonSchema.withRedis;
    },
  });
  widen(configSchema, schema, "#");
  const apps = schema.properties?.app_manager;
  if (typeof apps === "object" && apps.properties) {
    apps.properties.array = {
      type: "object",
      properties: { apps: { $ref: "#/properties/app_manager/properties/apps" } },
      deprecated: true,
      description: "Another place for apps.",
    };
  }
  return { title: "Configuration of Pipit", ...schema };
}

const PLACEHOLDER = "\\$\\{";

/** Adds to `json`, which stands at `pointer` and was made from `schema`, what people may also write. */
function widen(schema: z.core.$ZodType, json: JsonSchema, pointer: string): void {
  const inner = bare(schema);
  if (inner instanceof z.ZodObject) widenObject(inner, json, pointer);
  else if (inner instanceof z.ZodArray) widenArray(inner, json, pointer);
  else if (inner instanceof z.ZodNumber) {
    json.type = isLimit(schema) ? ["integer", "string", "null"] : ["integer", "string"];
    json.pattern = `^-?\\d*$|${PLACEHOLDER}`;
  } else if (inner instanceof z.ZodBoolean) {
    json.type = ["boolean", "string"];
    json.pattern = `^(true|false)$|${PLACEHOLDER}`;
  } else if (inner instanceof z.ZodEnum) {
    delete json.enum;
    delete json.type;
    json.anyOf = [{ enum: inner.options }, { type: "string", pattern: PLACEHOLDER }];
  } else if (json.type === "string") {
    if (typeof json.pattern === "string") json.pattern = `${json.pattern}|${PLACEHOLDER}`;
    if (acceptsNumbers(schema)) json.type = ["string", "integer"];
  }
}

function widenObject(schema: z.ZodObject, json: JsonSchema, pointer: string): void {
  const properties = json.properties ?? {};
  const hasOtherName = new Set<string>();
  for (const [key, field] of Object.entries(schema.shape)) {
    const property = properties[key];
    if (typeof property !== "object") continue;
    const at = `${pointer}/properties/${key}`;
    widen(field, property, at);
    const names = new Set([key, ...aliases(field)].flatMap((name) => [name, camelCase(name)]));
    names.delete(key);
    for (const name of names) {
      hasOtherName.add(key);
      const description = `Another spelling of ${key}.`;
      properties[name] = { $ref: at, deprecated: true, description };
    }
  }
  // A key that may be written otherwise cannot be demanded under one name; loading demands it.
  const required = (json.required ?? []).filter((key) => !hasOtherName.has(key));
  if (required.length > 0) json.required = required;
  else delete json.required;
}

/** A list may come from one placeholder, as JSON or with commas. */
function widenArray(schema: z.ZodArray, json: JsonSchema, pointer: string): void {
  if (typeof json.items === "object" && !Array.isArray(json.items)) {
    widen(schema.element, json.items, `${pointer}/items`);
  }
  json.type = ["array", "string"];
  json.pattern = PLACEHOLDER;
}
