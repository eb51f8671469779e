/** One receiver of an app's webhooks, `app_manager.apps[].webhooks[]` in the file. Source: protocol.md §7.7. */
import { RE2JS, RE2JSException } from "re2js";
import { z } from "zod";
import { DEFAULT_EVENT_TYPES, WEBHOOK_EVENT_TYPES } from "../protocol/webhook-event.ts";
import { isReservedHeader, RESERVED_HEADERS } from "../protocol/webhook-header.ts";
import { flag, text } from "./fields.ts";

const LONGEST_URL = 2_048;
const MOST_HEADERS = 32;

const filterSchema = z.strictObject({
  channel_name_starts_with: text(
    "Only events of channels whose name starts so.",
    "the beginning of a channel's name",
    /^.{1,200}$/,
    ["channel_prefix"],
  ).optional(),
  channel_name_ends_with: text(
    "Only events of channels whose name ends so.",
    "the end of a channel's name",
    /^.{1,200}$/,
    ["channel_suffix"],
  ).optional(),
  channel_name_pattern: z
    .string()
    .min(1)
    .max(500)
    .refine(isPattern)
    .meta({
      description: "Only events of channels in whose name this regular expression finds a match.",
      allowed: "a regular expression in RE2 syntax (no look-around, no back-references)",
      aliases: ["channel_pattern"],
    })
    .optional(),
});

const PEM_IN_WORDS = "the path of a PEM file, or PEM itself";

function pem(about: string) {
  return text(about, PEM_IN_WORDS, /./).optional();
}

/** A number that the endpoint has for itself. */
function own(about: string, least: number, most: number) {
  return z.int().min(least).max(most).meta({ description: about }).optional();
}

export const webhookSchema = z.strictObject({
  id: text(
    "Names the endpoint in metrics, logs and dead letters. Without one it is derived from the url.",
    "1 to 64 of a-z, 0-9 and -, unique in the app",
    /^[a-z0-9-]{1,64}$/,
  ).optional(),
  url: z.string().trim().max(LONGEST_URL).refine(isWebhookUrl).meta({
    description: "Where batches are POSTed.",
    allowed:
      "an http or https URL without spaces, and without user name and password (put those into headers)",
  }),
  event_types: z
    .array(z.enum(WEBHOOK_EVENT_TYPES))
    .min(1)
    .meta({
      description:
        "The events that the endpoint wants; all but user_online and user_offline when left out.",
      allowed: `a list of one or more of ${WEBHOOK_EVENT_TYPES.join(", ")}`,
      aliases: ["events"],
    })
    .default([...DEFAULT_EVENT_TYPES]),
  headers: z
    .record(z.string(), z.string())
    .check(({ value, issues }) => {
      for (const [name, content] of Object.entries(value)) {
        const message = headerProblem(name, content);
        if (message !== undefined) {
          issues.push({ code: "custom", input: content, path: [name], message });
        }
      }
      if (Object.keys(value).length > MOST_HEADERS) {
        issues.push({ code: "custom", input: value, message: `at most ${MOST_HEADERS} headers` });
      }
    })
    .meta({
      description: "Sent with every POST, beside the headers that Pipit sets itself.",
      allowed: "an object of header names and values",
    })
    .default({}),
  filter: filterSchema
    .meta({
      description:
        "Only events of certain channels: all parts that are given must hold. It keeps out no user_online and user_offline, which have no channel.",
    })
    .prefault({}),
  enabled: flag("Off: the endpoint takes no new events and keeps those that wait for it.", true),
  timeout_ms: own(
    "How long one attempt may take, in milliseconds, connect included; left out: webhooks.timeout_ms.",
    100,
    60_000,
  ),
  concurrency: own("POSTs under way; left out: webhooks.concurrency.", 1, 100),
  rate_limit: own(
    "POSTs per second and node, spread evenly; left out: as many as there are.",
    1,
    1_000,
  ),
  standard_webhooks: flag(
    "Send the headers of Standard Webhooks too; the receiver's secret is whsec_ and the app's secret in base64.",
    false,
  ),
  ca: pem("Authorities for the receiver's certificate, instead of those of the system."),
  client_certificate: pem("What Pipit shows to a receiver that asks for a certificate."),
  client_key: pem("The private key of client_certificate, without a passphrase."),
});

/** What a custom header must be, when `name: content` is not that. */
function headerProblem(name: string, content: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/i.test(name)) {
    return "a header name of letters, digits and - (no spaces, colons or line breaks)";
  }
  if (isReservedHeader(name)) return `any header but ${RESERVED_HEADERS.join(", ")}`;
  if (!/^[\t\x20-\x7e\x80-\xff]{0,4000}$/.test(content)) {
    return "a value of at most 4000 printable characters without line breaks";
  }
  return undefined;
}

function isWebhookUrl(url: string): boolean {
  // The URL parser drops or encodes white space: what is called would not be what is written here.
  if (/\s/.test(url) || !URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && username === "" && password === "";
}

function isPattern(pattern: string): boolean {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch (error) {
    if (error instanceof RE2JSException) return false;
    throw error;
  }
}
