/** The tables of every key in `docs/configuration.md`, printed from the schema. */
import { z } from "zod";
import { appSchema } from "./app-schema.ts";
import { configSchema } from "./config-schema.ts";
import { about, aliases, allowed, bare, defaultWithRedis } from "./fields.ts";
import { webhookSchema } from "./webhook-schema.ts";

const BEGIN = "<!-- Printed by `npm run schema`: change the schema, not the tables. -->";
const END = "<!-- End of the printed part. -->";

/** `page` with the tables between its two marks as the schema says today. Throws when a mark is missing. */
export function withReference(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error("docs/configuration.md has lost its marks.");
  return `${page.slice(0, begin)}${BEGIN}\n\n${reference()}\n${page.slice(end)}`;
}

function reference(): string {
  return [
    table("The server", configSchema),
    table("An app: `app_manager.apps[]`", appSchema),
    table("A webhook of an app: `app_manager.apps[].webhooks[]`", webhookSchema),
  ].join("\n");
}

function table(title: string, schema: z.ZodObject): string {
  const head = "| key | default | allowed | what it is for |\n|---|---|---|---|";
  return `### ${title}\n\n${head}\n${rows(schema, "").join("\n")}\n`;
}

function rows(schema: z.ZodObject, prefix: string): readonly string[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const inner = bare(field);
    const name = `${prefix}${key}`;
    if (inner instanceof z.ZodObject) return rows(inner, `${name}.`);
    const also = aliases(field).map((alias) => `\`${alias}\``);
    const note = also.length > 0 ? ` Also read as ${also.join(", ")}.` : "";
    const cells = [`\`${name}\``, fallback(field), allowed(field), `${about(field)}${note}`];
    return [`| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`];
  });
}

function fallback(field: z.core.$ZodType): string {
  if (field instanceof z.ZodOptional) return "–";
  if (!(field instanceof z.ZodDefault)) return "required";
  const value: unknown = field.def.defaultValue;
  if (Array.isArray(value) && value.length > 3) return "see right";
  const withRedis = defaultWithRedis(field);
  const other = withRedis === undefined ? "" : `, with redis \`${withRedis}\``;
  return `\`${JSON.stringify(value)}\`${other}`;
}
