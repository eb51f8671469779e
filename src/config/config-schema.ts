/**
 * The whole configuration: every key with its type, default, range and sentence. `config.schema.json` and the
 * table in `docs/configuration.md` are printed from here (`npm run schema`).
 */
import { z } from "zod";
import { isCidr, tidyCidr } from "./address-range.ts";
import { appSchema } from "./app-schema.ts";
import { deliverySchema } from "./delivery-schema.ts";
import { connectionLimit, flag, limit, text, wholeNumber } from "./fields.ts";
import { redisSchema } from "./redis-schema.ts";

const HOST = /^[A-Za-z0-9_.:%-]{1,255}$/;
const HOST_IN_WORDS = "a host name or IP address (IPv6 without brackets)";

export const sslSchema = z
  .strictObject({
    cert_file: text("The certificate with its chain, PEM.", "the path of a PEM file", /./, [
      "cert_path",
    ]),
    key_file: text("Its private key, PEM.", "the path of a PEM file", /./, ["key_path"]),
    ca_file: text(
      "Authorities for client certificates, PEM: a certificate that a client presents must come from one of them. A client that presents none is let in all the same.",
      "the path of a PEM file",
      /./,
      ["ca_path"],
    ).optional(),
    passphrase: text("Opens the private key.", "a text", /./).optional(),
  })
  .meta({ description: "Given: the port speaks TLS only. Left out: plain." });

export const metricsSchema = z.strictObject({
  enabled: flag("Serve Prometheus metrics on a port of their own.", true),
  host: text("Where the metrics listen.", HOST_IN_WORDS, HOST).default("127.0.0.1"),
  port: wholeNumber("0: any free port.", 0, 65_535, 9601),
  prefix: text(
    "Begins every metric's name. A dashboard from elsewhere keeps working with the prefix it knows.",
    "letters, digits and _, not beginning with a digit",
    /^([a-zA-Z_:][a-zA-Z0-9_:]{0,63})?$/,
  ).default("pipit_"),
});

export const appManagerSchema = z.strictObject({
  driver: z
    .enum(["memory"])
    .meta({ description: "Where apps come from: memory reads them from here." })
    .default("memory"),
  apps: z.array(appSchema).meta({ description: "The apps that are served." }).default([]),
});

export const limitsSchema = z.strictObject({
  max_connections: connectionLimit("Connections of this node; over it 4100. 0 is no limit either."),
  max_connections_per_address: connectionLimit("Connections from one IP address; over it 4100."),
  max_channels_per_connection: limit("Channels that one connection may be subscribed to.", 1_000),
  max_frame_kb: wholeNumber(
    "The largest WebSocket frame taken from a client, in KB; a larger one ends the connection.",
    1,
    65_536,
    1_024,
  ),
  max_request_body_kb: wholeNumber(
    "The largest body of an HTTP request, in KB; over it 413.",
    1,
    1_048_576,
    10_240,
  ),
  max_backpressure_kb: wholeNumber(
    "What may wait for a client that reads too slowly, in KB; over it the connection is closed.",
    16,
    1_048_576,
    1_024,
  ),
  commands_burst: wholeNumber(
    "Commands (subscribe, sign-in …) that a connection may send at once.",
    1,
    1_000_000,
    1_000,
  ),
  commands_per_second: limit("Commands per connection and second after that; over it 4301.", 100),
});

export const cacheSchema = z.strictObject({
  ttl_s: wholeNumber(
    "How long the last event of a cache channel is kept, in seconds.",
    1,
    604_800,
    1_800,
  ),
  max_mb: wholeNumber("Memory for those events, in MB; the oldest make room.", 1, 65_536, 64),
});

export const corsSchema = z.strictObject({
  origins: z
    .array(text("", "an origin, or *", /^\S{1,300}$/))
    .meta({
      description: "Origins whose scripts may call the HTTP API.",
      aliases: ["origin"],
      allowed: 'a list of origins, or ["*"]',
    })
    .default(["*"]),
});

export const configSchema = z.strictObject({
  $schema: z
    .string()
    .meta({ description: "Lets an editor complete and check the file: ./config.schema.json" })
    .optional(),
  host: text("Where clients and backends connect.", HOST_IN_WORDS, HOST).default("127.0.0.1"),
  port: wholeNumber("0: any free port.", 0, 65_535, 6001),
  reuse_port: flag("Several processes of this machine may listen on the port together.", false),
  path_prefix: z
    .string()
    .regex(/^[A-Za-z0-9_.~/-]{0,200}$/)
    .overwrite(tidyPrefix)
    .meta({
      description: "Stands before every path, for a proxy that does not strip it.",
      allowed: "a path such as /ws, or nothing",
    })
    .default(""),
  ssl: sslSchema.optional(),
  trusted_proxies: z
    .array(
      z
        .string()
        .refine(isCidr)
        .overwrite(tidyCidr)
        .meta({ allowed: "an address range such as 10.0.0.0/8 or fd00::/8, or one address" }),
    )
    .meta({
      description: "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
      allowed: "a list of address ranges such as 10.0.0.0/8",
    })
    .default([]),
  activity_timeout_s: wholeNumber(
    "Silence of a connection, in seconds, after which it is asked whether it lives.",
    5,
    3_600,
    120,
  ),
  pong_timeout_s: wholeNumber(
    "How long, in seconds, it may take to answer; then it is closed with 4201.",
    1,
    600,
    30,
  ),
  user_authentication_timeout_s: wholeNumber(
    "For apps with enable_authorized_connections: the time to sign in or join, in seconds.",
    1,
    3_600,
    30,
  ),
  metrics: metricsSchema.prefault({}),
  app_manager: appManagerSchema.prefault({}),
  webhooks: deliverySchema.prefault({}),
  limits: limitsSchema.prefault({}),
  cache: cacheSchema.prefault({}),
  cors: corsSchema.prefault({}),
  redis: redisSchema
    .meta({ description: "Given: this node is one of several, which share what they know there." })
    .optional(),
  http: z
    .strictObject({
      accept_traffic_memory_threshold: wholeNumber(
        "Memory in use, in percent, above which /accept-traffic answers 500.",
        1,
        100,
        85,
      ),
    })
    .prefault({}),
  shutdown: z
    .strictObject({
      grace_s: wholeNumber(
        "The time a stop may take, in seconds: clients leave spread over it, then webhooks are flushed.",
        0,
        600,
        10,
      ),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["debug", "info", "warn", "error", "silent"])
        .meta({ description: "What is logged, from most to least." })
        .default("info"),
      format: z
        .enum(["auto", "json", "pretty"])
        .meta({ description: "auto: pretty on a terminal, else one JSON object per line." })
        .default("auto"),
    })
    .prefault({}),
});

function tidyPrefix(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "")
    .map((part) => `/${part}`)
    .join("");
}
