import assert from "node:assert/strict";
import { test } from "node:test";
import { createAppRegistry } from "../../src/apps/app-registry.ts";
import { requireConfig } from "../../src/config/read-config.ts";
import { sign, signingKey } from "../../src/protocol/signature.ts";

function configs(...apps: object[]) {
  return requireConfig({ app_manager: { apps } }).config.app_manager.apps;
}

const ONE = { id: "1", key: "k1", secret: "s1" };
const TWO = { id: "2", key: "k2", secret: "s2" };

test("an app is found by its id and by its key, and only by those", () => {
  const apps = createAppRegistry(configs(ONE, TWO));
  assert.equal(apps.byId("1"), apps.byKey("k1"));
  assert.equal(apps.byId("2")?.id, "2");
  for (const name of ["k1", "3", "", "__proto__", "constructor"]) {
    assert.equal(apps.byId(name), undefined);
  }
  assert.equal(apps.byKey("1"), undefined);
  assert.deepEqual(
    [...apps.known()].map(({ id }) => id),
    ["1", "2"],
  );
});

test("a disabled app is found, since it has an answer of its own", () => {
  const apps = createAppRegistry(configs({ ...ONE, enabled: false }));
  assert.equal(apps.byKey("k1")?.settings.enabled, false);
});

test("every enabled key is accepted, and the first of them signs webhooks", () => {
  const keys = [
    { key: "old", secret: "a", enabled: false },
    { key: "now", secret: "b" },
    { key: "next", secret: "c" },
  ];
  const apps = createAppRegistry(configs({ id: "1", keys }));
  assert.equal(apps.byKey("old"), undefined);
  const settings = apps.byKey("next")?.settings;
  assert.deepEqual([...(settings?.keys.keys() ?? [])], ["now", "next"]);
  assert.equal(settings?.webhookKey?.key, "now");
  assert.ok(settings?.webhookKey);
  assert.equal(sign(settings.webhookKey.signingKey, "x"), sign(signingKey("b"), "x"));
});

test("limits are in bytes and ms, and -1 is Infinity", () => {
  const apps = createAppRegistry(
    configs({
      ...ONE,
      max_event_payload_in_kb: 10,
      max_presence_member_size_in_kb: -1,
      max_connections: 0,
      cache_ttl_s: 60,
      terminate_on_limit: true,
    }),
  );
  const settings = apps.byId("1")?.settings;
  assert.equal(settings?.limits.maxEventPayloadBytes, 10_240);
  assert.equal(settings?.limits.maxPresenceMemberBytes, Number.POSITIVE_INFINITY);
  assert.equal(settings?.limits.maxConnections, Number.POSITIVE_INFINITY);
  assert.equal(settings?.limits.terminateOnClientEventLimit, true);
  assert.equal(settings?.cacheTtlMs, 60_000);
});

test("each feature has its own switch", () => {
  const switches = {
    enable_client_messages: "clientMessages",
    enable_client_messages_on_public_channels: "clientMessagesOnPublicChannels",
    enable_client_messages_on_encrypted_channels: "clientMessagesOnEncryptedChannels",
    enable_user_authentication: "userAuthentication",
    enable_watchlist_events: "watchlistEvents",
    enable_subscription_count: "subscriptionCount",
    enable_authorized_connections: "authorizedConnections",
    strict: "strict",
    acknowledge_duplicate_subscribe: "acknowledgeDuplicateSubscribe",
  };
  for (const [key, feature] of Object.entries(switches)) {
    const features = createAppRegistry(configs({ ...ONE, [key]: true })).byId("1")?.settings
      .features;
    const on = Object.entries(features ?? {}).filter(([, value]) => value);
    assert.deepEqual(
      on.map(([name]) => name),
      [feature],
    );
  }
});

test("webhooks become endpoints with an id each", () => {
  const url = "https://a.example";
  const webhooks = [
    { id: "mine", url, event_types: ["cache_miss"], headers: { "X-Mine": "1" }, enabled: false },
    { url, filter: { channel_name_starts_with: "a", channel_pattern: "b" } },
  ];
  const [first, second] =
    createAppRegistry(configs({ ...ONE, webhooks })).byId("1")?.settings.webhooks ?? [];
  assert.deepEqual(first, {
    id: "mine",
    url,
    eventTypes: new Set(["cache_miss"]),
    headers: { "X-Mine": "1" },
    filter: { startsWith: undefined, endsWith: undefined, pattern: undefined },
    enabled: false,
    timeoutMs: undefined,
    concurrency: undefined,
    maxRequestsPerSecond: Infinity,
    standardWebhooks: false,
    tls: undefined,
  });
  assert.match(second?.id ?? "", /^[0-9a-f]{16}-2$/);
  assert.deepEqual(second?.filter, { startsWith: "a", endsWith: undefined, pattern: "b" });
  assert.equal(second?.eventTypes.size, 7);
});

test("a reload keeps handles and traffic and replaces settings", () => {
  const apps = createAppRegistry(configs(ONE));
  const app = apps.byId("1");
  assert.ok(app);
  app.traffic.messagesSent = 5;
  apps.reload(configs({ ...ONE, key: "k9", max_connections: 3 }, TWO));
  assert.equal(apps.byId("1"), app);
  assert.equal(apps.byKey("k9"), app);
  assert.equal(apps.byKey("k1"), undefined);
  assert.equal(app.settings.limits.maxConnections, 3);
  assert.equal(app.traffic.messagesSent, 5);
  assert.equal(apps.byKey("k2")?.id, "2");
});

test("an app that a reload leaves out is disabled for those who hold it and found by nobody", () => {
  const apps = createAppRegistry(configs(ONE, TWO));
  const app = apps.byId("1");
  assert.ok(app);
  apps.reload(configs(TWO));
  assert.equal(app.settings.enabled, false);
  assert.equal(apps.byId("1"), undefined);
  assert.equal(apps.byKey("k1"), undefined);
  assert.deepEqual(
    [...apps.known()].map(({ id }) => id),
    ["2"],
  );
  apps.reload(configs(ONE, TWO));
  assert.equal(apps.byId("1"), app);
  assert.equal(app.settings.enabled, true);
});
