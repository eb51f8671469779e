import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { requireConfig } from "../../src/config/read-config.ts";

const APP = { id: "1", key: "k", secret: "s" };

function read(input: unknown) {
  const { config, warnings } = requireConfig(input);
  return { config, warnings, app: config.app_manager.apps[0] };
}

function readApp(fields: object) {
  const { app, warnings } = read({ app_manager: { apps: [{ ...APP, ...fields }] } });
  assert.ok(app);
  return { app, warnings };
}

describe("spellings", () => {
  test("camelCase, PascalCase and the column names of databases mean the same key", () => {
    for (const key of [
      "max_backend_events_per_second",
      "maxBackendEventsPerSecond",
      "MaxBackendEventsPerSecond",
      "max_backend_events_per_sec",
      "maxBackendEventsPerSec",
    ]) {
      assert.equal(readApp({ [key]: 7 }).app.max_backend_events_per_second, 7, key);
    }
    assert.equal(readApp({ max_read_req_per_sec: 7 }).app.max_read_requests_per_second, 7);
  });

  test("numbers and switches may be text, ids and keys may be numbers", () => {
    const { app } = readApp({ id: 42, key: 7, secret: 8, max_connections: "5", enabled: "false" });
    assert.deepEqual([app.id, app.key, app.secret], ["42", "7", "8"]);
    assert.equal(app.max_connections, 5);
    assert.equal(app.enabled, false);
  });

  test("null says nothing where there is no limit to lift", () => {
    const { app } = readApp({ enabled: null, webhooks: null, allowedOrigins: null });
    assert.equal(app.enabled, true);
    assert.deepEqual(app.webhooks, []);
    assert.deepEqual(app.allowed_origins, []);
  });

  test("apps are found in app_manager.array.apps, nested or with dots", () => {
    for (const input of [
      { appManager: { driver: "array", array: { apps: [APP] } } },
      { app_manager: { array: { apps: [APP] } } },
      { "appManager.array.apps": [APP], "appManager.driver": "array" },
    ]) {
      const { config, warnings } = read(input);
      assert.equal(config.app_manager.driver, "memory");
      assert.equal(config.app_manager.apps[0]?.id, "1");
      assert.deepEqual(warnings, []);
    }
  });

  test("webhooks may be JSON text, and have several names for events and filters", () => {
    const webhooks = JSON.stringify([
      { url: "https://a.example", events: ["cache_miss"], filter: { channel_prefix: "a" } },
      {
        url: "https://b.example",
        eventTypes: ["cache_miss"],
        filter: { channelNameEndsWith: "z" },
      },
      { url: "https://c.example", filter: { channel_suffix: "z", channel_pattern: "^x" } },
    ]);
    const [a, b, c] = readApp({ webhooks }).app.webhooks;
    assert.deepEqual(a?.event_types, ["cache_miss"]);
    assert.equal(a?.filter.channel_name_starts_with, "a");
    assert.deepEqual(b?.event_types, ["cache_miss"]);
    assert.equal(b?.filter.channel_name_ends_with, "z");
    assert.equal(c?.event_types.length, 7);
    assert.deepEqual(c?.filter, { channel_name_ends_with: "z", channel_name_pattern: "^x" });
  });

  test("of two spellings the canonical one counts, with a warning", () => {
    for (const limits of [
      { max_connections: 5, maxConnections: 6 },
      { maxConnections: 6, max_connections: 5 },
    ]) {
      const { app, warnings } = readApp(limits);
      assert.equal(app.max_connections, 5);
      assert.equal(warnings.length, 1);
    }
  });
});

describe("keys of other servers", () => {
  test("that mean nothing here are warnings, in either case", () => {
    const { warnings } = read({
      adapter: { driver: "redis" },
      rateLimiter: {},
      shutdown_grace_period: 3_000,
      cache: { driver: "memory" },
      app_manager: {
        apps: [{ ...APP, webhooks: [{ url: "https://a.example", request_timeout_ms: 1 }] }],
      },
    });
    assert.equal(warnings.length, 5);
    assert.match(warnings.join("\n"), /^rateLimiter: means nothing here and is ignored\./m);
    assert.match(
      warnings.join("\n"),
      /^shutdown_grace_period: .* Set shutdown\.grace_s, in seconds\./m,
    );
    assert.match(
      warnings.join("\n"),
      /webhooks\[0\]\.request_timeout_ms: .*timeout_ms in the webhook/,
    );
  });

  test("an app's policy is read as if it stood in the app, where the app's own keys win", () => {
    const { app, warnings } = readApp({
      max_event_batch_size: 3,
      policy: {
        limits: { max_connections: "9", max_event_batch_size: 4 },
        features: { enable_client_messages: true, enable_time_travel: true },
        channels: { allowed_origins: ["https://a.example"] },
        webhooks: [{ url: "https://a.example" }],
      },
    });
    assert.equal(app.max_connections, 9);
    assert.equal(app.max_event_batch_size, 3);
    assert.equal(app.enable_client_messages, true);
    assert.deepEqual(app.allowed_origins, ["https://a.example"]);
    assert.equal(app.webhooks.length, 1);
    assert.deepEqual(warnings, [
      'app_manager.apps[0].policy: "enable_time_travel" in it means nothing here and is ignored.',
    ]);
  });
});
