import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AppConfig, type Config, unlimited } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { readConfig, requireConfig } from "../../src/config/read-config.ts";
import { SAMPLE_SECRET } from "../../src/config/warnings.ts";

const APP = { id: "1", key: "k", secret: "hush-hush" };

function withApps(...apps: unknown[]): unknown {
  return { app_manager: { apps } };
}

function webhook(fields: object): unknown {
  return withApps({ ...APP, webhooks: [{ url: "https://example.com/hook", ...fields }] });
}

function problems(input: unknown): readonly string[] {
  const read = readConfig(input);
  return "problems" in read ? read.problems : [];
}

function config(input: unknown): Config {
  return requireConfig(input).config;
}

function firstApp(fields: object): AppConfig {
  const app = config(withApps({ ...APP, ...fields })).app_manager.apps[0];
  assert.ok(app);
  return app;
}

describe("what is left out", () => {
  test("has the defaults that the docs promise", () => {
    const { host, port, metrics, limits, webhooks, cache, shutdown } = config({});
    assert.deepEqual([host, port], ["127.0.0.1", 6001]);
    assert.deepEqual(metrics, {
      enabled: true,
      host: "127.0.0.1",
      port: 9601,
      prefix: "pipit_",
    });
    assert.equal(limits.max_channels_per_connection, 1_000);
    assert.deepEqual(webhooks.batching, { enabled: true, window_ms: 50, max_events: 50 });
    assert.deepEqual(webhooks.retry, { initial_ms: 1_000, max_ms: 60_000, budget_s: 300 });
    assert.deepEqual(cache, { ttl_s: 1_800, max_mb: 64 });
    assert.equal(shutdown.grace_s, 10);
  });

  test("of webhooks is longer and more with redis, where it is durable, unless something is said", () => {
    const redis = { url: "redis://127.0.0.1" };
    const bounds = ({ webhooks }: ReturnType<typeof config>) => [
      webhooks.retry.budget_s,
      webhooks.max_queued_events,
      webhooks.max_dead_letters,
      webhooks.max_dead_letter_age_s,
      webhooks.retry.max_ms,
    ];
    assert.deepEqual(bounds(config({})), [300, 100_000, 10_000, 604_800, 60_000]);
    assert.deepEqual(bounds(config({ redis })), [86_400, 1_000_000, 100_000, 604_800, 60_000]);
    const webhooks = { retry: { budget_s: 60, max_ms: 2_000 }, max_dead_letters: 5 };
    assert.deepEqual(bounds(config({ redis, webhooks })), [60, 1_000_000, 5, 604_800, 2_000]);
  });

  test("of an app follows the recommended column of the protocol", () => {
    const app = firstApp({});
    assert.equal(app.enabled, true);
    assert.equal(app.max_client_events_per_second, 100);
    assert.equal(app.max_event_payload_in_kb, 100);
    assert.equal(app.max_channel_name_length, 200);
    assert.equal(app.enable_client_messages, false);
    assert.equal(app.batch_webhooks, true);
    assert.equal(app.cache_ttl_s, 1_800);
  });

  test("of an app's cache is the server's", () => {
    const { app_manager } = config({ cache: { ttl_s: 60 }, app_manager: { apps: [APP] } });
    assert.equal(app_manager.apps[0]?.cache_ttl_s, 60);
    assert.equal(firstApp({ cache_ttl_s: 5 }).cache_ttl_s, 5);
  });
});

describe("the configuration that was read", () => {
  test("cannot be changed anywhere", () => {
    const read = config(webhook({}));
    const seen: unknown[] = [read];
    for (const part of seen) {
      assert.ok(Object.isFrozen(part));
      for (const value of Object.values(part as object)) {
        if (typeof value === "object" && value !== null) seen.push(value);
      }
    }
    assert.ok(seen.length > 10);
  });

  test("reads again as itself", () => {
    const read = config(webhook({ headers: { "X-Mine": "1" } }));
    assert.deepEqual(config(read), read);
  });

  test("has address ranges, prefixes and origins in one form", () => {
    const read = config({
      path_prefix: "ws/",
      trusted_proxies: ["10.0.0.1", "::1", "fd00::/8"],
      app_manager: { apps: [{ ...APP, allowed_origins: ["https://example.com/"] }] },
    });
    assert.equal(read.path_prefix, "/ws");
    assert.deepEqual(read.trusted_proxies, ["10.0.0.1/32", "::1/128", "fd00::/8"]);
    assert.deepEqual(read.app_manager.apps[0]?.allowed_origins, ["https://example.com"]);
  });

  test("keeps -1 for a limit that is off, which unlimited() turns into Infinity", () => {
    assert.equal(unlimited(-1), Number.POSITIVE_INFINITY);
    assert.equal(unlimited(0), 0);
  });
});

describe("limits", () => {
  test("-1, null and an empty text are no limit", () => {
    for (const off of [-1, "-1", null, ""]) {
      assert.equal(
        firstApp({ max_backend_events_per_second: off }).max_backend_events_per_second,
        -1,
      );
      assert.equal(firstApp({ max_event_payload_in_kb: off }).max_event_payload_in_kb, -1);
    }
  });

  test("0 is no limit for connections and nothing at all for everything else", () => {
    const app = firstApp({ max_connections: 0, max_client_events_per_second: 0 });
    assert.equal(app.max_connections, -1);
    assert.equal(app.max_client_events_per_second, 0);
  });
});

describe("problems", () => {
  test("come all at once, one line each, with path, found and allowed", () => {
    const found = problems({
      port: 70_000,
      metrics: { prot: 1 },
      log: { level: "inf" },
      trusted_proxies: ["10.0.0.0/33"],
      app_manager: {
        apps: [
          { ...APP, webhooks: [{}] },
          { ...APP, id: "2" },
        ],
      },
    });
    assert.deepEqual(found, [
      "port: found 70000, allowed: a whole number from 0 to 65535",
      'trusted_proxies[0]: found "10.0.0.0/33", allowed: an address range such as 10.0.0.0/8 or fd00::/8, or one address',
      'metrics.prot: unknown key, did you mean "port"?',
      "app_manager.apps[0].webhooks[0].url: is missing, needed: an http or https URL without spaces, and without user name and password (put those into headers)",
      'log.level: found "inf", allowed: debug, info, warn, error or silent, did you mean "info"?',
      'app_manager.apps[1].key: found the key "k" a second time, first at app_manager.apps[0].key: a key belongs to one app',
    ]);
  });

  const cases: [string, unknown, RegExp][] = [
    ["no object at all", [], /^found an empty list, allowed: an object$/],
    ["a number that is not whole", { port: 1.5 }, /^port: found 1\.5, allowed: a whole number/],
    ["a text that is no number", { port: "80a" }, /^port: found "80a", allowed: a whole/],
    ["a key called __proto__", JSON.parse('{"__proto__":{"port":1}}'), /^__proto__: unknown key/],
    ["a key far from all known", { frobnicate: 1 }, /unknown key; see docs/],
    [
      "an id with a colon",
      withApps({ ...APP, id: "a:b" }),
      /^app_manager\.apps\[0\]\.id: found "a:b"/,
    ],
    ["an id over 64", withApps({ ...APP, id: "a".repeat(65) }), /\.id: found .*allowed: 1 to 64/],
    [
      "two apps with one id",
      withApps(APP, { ...APP, key: "l" }),
      /apps\[1\]\.id: found the app id "1"/,
    ],
    [
      "the same id once as a number",
      withApps(APP, { ...APP, id: 1, key: "l" }),
      /apps\[1\]\.id: found/,
    ],
    [
      "an app without a secret",
      withApps({ id: "1", key: "k" }),
      /\.secret: is missing, needed: key and/,
    ],
    [
      "keys beside a key",
      withApps({ ...APP, keys: [{ key: "l", secret: "s" }] }),
      /\.keys: stands beside/,
    ],
    [
      "an empty list of keys",
      withApps({ id: "1", keys: [] }),
      /\.keys: found an empty list, allowed/,
    ],
    [
      "a key that another app has among several",
      withApps(APP, { id: "2", keys: [{ key: "k", secret: "s" }] }),
      /apps\[1\]\.keys\[0\]\.key: found the key "k" a second time/,
    ],
    [
      "an unknown event type",
      webhook({ events: ["channel_ocupied"] }),
      /did you mean "channel_occupied"/,
    ],
    ["no event types", webhook({ event_types: [] }), /event_types: found an empty list/],
    [
      "a pattern that does not end",
      webhook({ filter: { channel_pattern: "(" } }),
      /pattern: found "\("/,
    ],
    ["a look-around", webhook({ filter: { channel_pattern: "(?=a)" } }), /RE2 syntax/],
    ["a filter that is not known", webhook({ filter: { channel_namespace: "a" } }), /unknown key/],
    ["a webhook to a file", webhook({ url: "file:///etc/passwd" }), /url: found "file:/],
    [
      "a webhook with a user name in its url",
      webhook({ url: "https://me@example.com" }),
      /url: found "https:\/\/\*\*\*@example\.com", allowed: .*without user name/,
    ],
    ["an id in upper case", webhook({ id: "Hook" }), /id: found "Hook", allowed: 1 to 64 of a-z/],
    [
      "a header's value over two lines",
      webhook({ headers: { a: "b\r\nc" } }),
      /headers\.a: .*line breaks/,
    ],
    [
      "a header's name with a space",
      webhook({ headers: { "a b": "c" } }),
      /a header name of letters/,
    ],
    ["two stars in an origin", withApps({ ...APP, allowed_origins: ["*.a.*"] }), /at most one \*/],
    [
      "a first wait over the longest",
      { webhooks: { retry: { initial_ms: 500, max_ms: 100 } } },
      /^webhooks\.retry\.initial_ms: found 500/,
    ],
    ["a certificate without key", { ssl: { cert_file: "a" } }, /^ssl\.key_file: is missing/],
  ];
  for (const [what, input, text] of cases) {
    test(`${what} is refused`, () => {
      const found = problems(input);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] ?? "", text);
    });
  }

  test("equal endpoint ids are refused in one app and fine in two", () => {
    const hook = (id: string) => ({ id, url: "https://example.com" });
    const [found] = problems(withApps({ ...APP, webhooks: [hook("a"), hook("b"), hook("a")] }));
    assert.match(found ?? "", /webhooks\[2\]\.id: found the endpoint id "a" a second time/);
    const other = { id: "2", key: "l", secret: "s", webhooks: [hook("a")] };
    assert.deepEqual(problems(withApps({ ...APP, webhooks: [hook("a")] }, other)), []);
  });

  test("headers that are the server's own are refused in any case", () => {
    for (const name of [
      "Host",
      "content-type",
      "Content-Length",
      "Transfer-Encoding",
      "connection",
      "TE",
      "Trailer",
      "X-Pusher-Key",
      "x-pipit-delivery",
    ]) {
      assert.match(
        problems(webhook({ headers: { [name]: "x" } }))[0] ?? "",
        /any header but Host/,
        name,
      );
    }
    assert.deepEqual(problems(webhook({ headers: { Authorization: "Bearer x" } })), []);
  });

  test("never show a secret, a header's value or the password in a URL", () => {
    const hidden = "s3cr\u0001et";
    const text = problems({
      ssl: { cert_file: "a", key_file: "b", passphrase: { hidden } },
      app_manager: {
        apps: [
          { id: "1", key: "k", secret: hidden },
          { id: "2", keys: [{ key: "l", secret: [hidden] }] },
          {
            ...APP,
            webhooks: [{ url: `https://me:${hidden}@example.com`, headers: { a: `${hidden}\n` } }],
          },
        ],
      },
    }).join("\n");
    assert.match(text, /a value that is not shown/);
    assert.match(text, /\/\/\*\*\*@example\.com/);
    assert.doesNotMatch(text, /s3cr/);
  });

  test("never show a token in the URL of a webhook, however it is written", () => {
    for (const url of [
      "ftp://a.example/hook?token=hush",
      "https//a.example/hook?token=hush",
      "https://a.example/services/B0/hush x",
      "https://me:pw@a.example/#hush",
    ]) {
      const [found = ""] = problems(webhook({ url }));
      assert.match(
        found,
        /webhooks\[0\]\.url: found "[^"]*\*\*\*[^"]*", allowed: an http or https URL/,
      );
      assert.doesNotMatch(found, /hush/);
    }
  });

  test("make requireConfig throw an error that holds them all", () => {
    assert.throws(
      () => requireConfig({ port: -1, hots: "x" }),
      (error) => error instanceof ConfigError && error.problems.length === 2,
    );
  });
});

describe("warnings", () => {
  const warnings = (input: unknown) => requireConfig(input).warnings.join("\n");

  test("the sample secret is named where other machines can connect, and only there", () => {
    const sample = (host: string) => ({
      host,
      app_manager: { apps: [{ ...APP, secret: SAMPLE_SECRET }] },
    });
    for (const host of ["0.0.0.0", "::", "192.168.1.2", "example.com"]) {
      assert.match(warnings(sample(host)), /^SECURITY: .*sample secret/, host);
    }
    for (const host of ["127.0.0.1", "::1", "localhost"]) assert.equal(warnings(sample(host)), "");
    assert.equal(warnings({ host: "0.0.0.0", app_manager: { apps: [APP] } }), "");
    const keys = [{ key: "k", secret: SAMPLE_SECRET }];
    assert.match(warnings({ host: "::", app_manager: { apps: [{ id: "1", keys }] } }), /SECURITY/);
  });

  test("webhooks with one url and no ids are asked for ids", () => {
    const hook = { url: "https://example.com" };
    const apps = (...webhooks: object[]) => withApps({ ...APP, webhooks });
    assert.match(warnings(apps(hook, hook)), /webhooks\[1\]: has the same url as .*webhooks\[0\]/);
    assert.equal(warnings(apps({ ...hook, id: "a" }, { ...hook, id: "b" })), "");
  });

  test("a shared port whose processes cannot hear each other is worth one", () => {
    const shared = { app_manager: { apps: [APP] }, reuse_port: true };
    assert.match(warnings(shared), /^reuse_port: without redis/);
    assert.equal(warnings({ ...shared, redis: { url: "redis://127.0.0.1" } }), "");
  });

  test("white space around a webhook's url is dropped", () => {
    const { config } = requireConfig(
      withApps({ ...APP, webhooks: [{ url: " https://a.example\n" }] }),
    );
    assert.equal(config.app_manager.apps[0]?.webhooks[0]?.url, "https://a.example");
  });

  test("no app at all is worth one", () => {
    assert.match(warnings({}), /no app is configured/);
  });
});
