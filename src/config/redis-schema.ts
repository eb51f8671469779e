/** Where Redis is, for deployments of several nodes: `redis` in the file. Left out: the node is alone. */
import { z } from "zod";
import { DEFAULT_PARTITIONS } from "../protocol/partition.ts";
import { text, wholeNumber } from "./fields.ts";

const MOST_PARTITIONS = 1_024;
const ENDPOINT_IN_WORDS = "host:port (IPv6 in brackets)";
const PLACES = "one of url, sentinels and cluster";

function endpoints(about: string, example: string) {
  return z
    .array(text("", ENDPOINT_IN_WORDS, /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,255}):\d{1,5}$/))
    .min(1)
    .meta({ description: about, allowed: `a list of ${ENDPOINT_IN_WORDS}, such as ${example}` })
    .optional();
}

function file(about: string) {
  return text(about, "the path of a PEM file", /./).optional();
}

function credential(about: string) {
  return text(about, "a text", /./).optional();
}

export const redisTlsSchema = z.strictObject({
  ca_file: file("Authorities for the certificate of Redis; left out: those of the system."),
  cert_file: file("This node's own certificate, where Redis asks for one."),
  key_file: file("Its private key."),
  passphrase: credential("Opens the private key."),
  server_name: text(
    "The name that the certificate of Redis carries, when it is not its host.",
    "a host name",
    /^[A-Za-z0-9_.*-]{1,255}$/,
  ).optional(),
});

export const redisSchema = z
  .strictObject({
    url: z
      .string()
      .max(2_048)
      .refine(isRedisUrl)
      .meta({
        description: "A single Redis. User, password and database may stand in it.",
        allowed: "a redis or rediss (TLS) URL such as redis://127.0.0.1:6379/0",
      })
      .optional(),
    sentinels: endpoints("Sentinels that know which Redis is the master.", "10.0.0.1:26379"),
    master_name: text("What the sentinels call it.", "a name", /^\S{1,255}$/).default("mymaster"),
    sentinel_username: credential("For the sentinels themselves."),
    sentinel_password: credential("For the sentinels themselves."),
    cluster: endpoints("Nodes of a Redis Cluster; it tells the others.", "10.0.0.1:6379"),
    tls: redisTlsSchema
      .meta({ description: "Given, if only as {}: TLS, for sentinels too." })
      .optional(),
    username: credential("For Redis; wins over the one in url."),
    password: credential("For Redis; wins over the one in url."),
    db: z
      .int()
      .min(0)
      .max(10_000)
      .meta({ description: "The database; wins over the one in url. A Redis Cluster has only 0." })
      .optional(),
    key_prefix: text(
      "Begins every key and topic. Deployments that share a Redis need different ones, in different databases too.",
      "at most 64 printable characters without spaces and braces",
      /^[!-z|~]{0,64}$/,
    ).default("pipit:"),
    partitions: wholeNumber(
      "Parts that keys are spread over, the same on every node. At least as many as a Redis Cluster has masters.",
      1,
      MOST_PARTITIONS,
      DEFAULT_PARTITIONS,
    ),
  })
  .check(({ value, issues }) => {
    const refuse = (key: "url" | "sentinels" | "cluster" | "db", message: string): void => {
      issues.push({ code: "custom", input: value[key], path: [key], message });
    };
    const [first, second] = (["url", "sentinels", "cluster"] as const).filter(
      (key) => value[key] !== undefined,
    );
    if (first === undefined) refuse("url", PLACES);
    if (second !== undefined) refuse(second, `${PLACES}: ${first} is given already`);
    if (value.cluster !== undefined && (value.db ?? 0) !== 0) refuse("db", "0 on a Redis Cluster");
  });

function isRedisUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, pathname } = new URL(url);
  return /^rediss?:$/.test(protocol) && hostname !== "" && /^(\/\d{0,5})?$/.test(pathname);
}
