import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpApiParts } from "../../src/http/rest-api.ts";
import { createTestApi, isBodyWanted, KEY, signedQuery, testSettings } from "./test-api.ts";

const EVENTS = "/apps/3/events";
const CHANNELS = "/apps/3/channels";
const BODY = '{"name":"foo","channel":"a","data":""}';

function channelsThat(changes: Partial<HttpApiParts["channels"]>): HttpApiParts["channels"] {
  return { publish() {}, terminateUser() {}, cached: () => undefined, ...changes };
}

function fault(code: string): Error {
  return Object.assign(new Error("broken"), { code });
}

describe("terminate_connections", () => {
  test("closes the user named in the path, with an empty body or an object", async () => {
    const api = createTestApi();
    const path = "/apps/3/users/a@b%20c/terminate_connections";
    assert.equal((await api.request({ path, body: "{}" })).body, "{}");
    const answer = await api.request({ method: "POST", path });
    assert.deepEqual([answer.status, answer.body], [200, "{}"]);
    assert.deepEqual(api.terminated, ["a@b c", "a@b c"]);
  });

  test("without an app in the path the app is found by its key", async () => {
    const api = createTestApi();
    const path = "/users/42/terminate_connections";
    const answer = await api.request({ path, body: "{}" });
    assert.deepEqual(
      [answer.status, answer.route],
      [200, "/users/{user_id}/terminate_connections"],
    );
    assert.deepEqual(api.terminated, ["42"]);
    const unknown = await api.request({ path, body: "{}", params: { auth_key: "other" } });
    assert.equal(unknown.status, 401);
    assert.equal((await api.request({ path, body: "{}", query: "" })).status, 401);
    assert.equal(api.terminated.length, 1);
  });

  test("a user id may contain a slash, and may not be empty", async () => {
    const api = createTestApi();
    await api.request({ path: "/apps/3/users/a/b/terminate_connections", body: "{}" });
    assert.deepEqual(api.terminated, ["a/b"]);
    const empty = await api.request({ path: "/apps/3/users//terminate_connections", body: "{}" });
    assert.equal(empty.status, 404);
    const none = await api.request({ path: "/apps/3/users/terminate_connections", body: "{}" });
    assert.equal(none.status, 404);
  });
});

describe("routes", () => {
  test("what is no route is 404 with JSON, whoever asks", async () => {
    const api = createTestApi();
    for (const path of [
      "/nothing",
      "/apps",
      "/apps/3",
      "/apps/3/channels/",
      "/apps/3/channels/a/b",
    ]) {
      const answer = await api.request({ path, query: "" });
      assert.deepEqual([answer.status, answer.route], [404, "unknown"], path);
      assert.deepEqual(answer.json, {
        error: `There is nothing at ${JSON.stringify(path)}.`,
        code: 404,
      });
    }
  });

  test("a route asked with another method is 405 and names its own", async () => {
    const api = createTestApi();
    const get = await api.request({ method: "GET", path: EVENTS });
    assert.deepEqual([get.status, get.headers], [405, { Allow: "POST, OPTIONS" }]);
    const put = await api.request({ method: "PUT", path: CHANNELS, body: "{}" });
    assert.deepEqual([put.status, put.headers], [405, { Allow: "GET, HEAD, OPTIONS" }]);
    assert.match(put.error, /takes GET, HEAD, not "PUT"/);
  });

  test("HEAD works like GET", async () => {
    const answer = await createTestApi().request({ method: "HEAD", path: CHANNELS });
    assert.deepEqual([answer.status, answer.body], [200, '{"channels":{}}']);
  });

  test("a channel called users, or with a name that is encoded, is a channel", async () => {
    const api = createTestApi();
    assert.equal((await api.request({ path: `${CHANNELS}/users` })).body, '{"occupied":false}');
    api.counts.set("a@b", { subscriptions: 1, users: 0 });
    assert.equal((await api.request({ path: `${CHANNELS}/a%40b` })).body, '{"occupied":true}');
  });
});

describe("bodies", () => {
  test("one that is announced over the bound is 413 before it is read", async () => {
    const settings = { pathPrefix: "", maxBodyBytes: 20, corsOrigins: [] };
    const api = createTestApi(testSettings(), { settings });
    const answer = await api.request({ path: EVENTS, body: BODY });
    assert.deepEqual([answer.status, answer.wasBodyRead], [413, false]);
    assert.match(answer.error, /38 bytes, 20 bytes are allowed/);
    assert.equal(api.api.counters.bodiesTooLarge, 1);
  });

  test("one that turns out over the bound has its answer ready, counted when taken", async () => {
    const api = createTestApi();
    const begun = await api.api.begin({
      method: "POST",
      path: EVENTS,
      query: signedQuery("POST", EVENTS, {}, BODY),
      origin: undefined,
      contentLength: undefined,
      accessControlRequestHeaders: undefined,
      address: () => "127.0.0.1",
    });
    assert.ok(isBodyWanted(begun));
    assert.equal(begun.maxBodyBytes, 1_000_000);
    assert.equal(begun.route, "/apps/{id}/events");
    const { requests } = api.api.counters;
    assert.deepEqual(requests["/apps/{id}/events"], {});
    assert.equal(begun.tooLarge().status, 413);
    assert.deepEqual(requests["/apps/{id}/events"], { 413: 1 });
  });
});

describe("pages of other origins", () => {
  const cors = (corsOrigins: readonly string[]) =>
    createTestApi(testSettings(), {
      settings: { pathPrefix: "", maxBodyBytes: 1_000, corsOrigins },
    });
  const origin = "https://example.com";

  test("a preflight is answered without a signature", async () => {
    const answer = await cors(["*"]).request({
      method: "OPTIONS",
      path: EVENTS,
      query: "",
      head: { origin, accessControlRequestHeaders: "x-a, x-b" },
    });
    assert.deepEqual([answer.status, answer.body], [204, ""]);
    assert.deepEqual(answer.headers, {
      Allow: "POST, OPTIONS",
      "Access-Control-Allow-Methods": "POST, OPTIONS",
      "Access-Control-Allow-Headers": "x-a, x-b",
      "Access-Control-Max-Age": "7200",
      "Access-Control-Allow-Origin": "*",
    });
  });

  test("answers are readable for allowed origins, refusals included", async () => {
    const get = async (allowed: readonly string[], query?: string) =>
      (
        await cors(allowed).request({
          path: CHANNELS,
          head: { origin },
          ...(query === undefined ? {} : { query }),
        })
      ).headers;
    const own = { "Access-Control-Allow-Origin": origin, Vary: "Origin" };
    assert.deepEqual(await get(["https://EXAMPLE.com"]), own);
    assert.deepEqual(await get(["https://example.com"], ""), own);
    assert.deepEqual(await get(["https://other.com"]), { Vary: "Origin" });
    assert.deepEqual(await get([]), { Vary: "Origin" });
  });

  test("a request that no page sent carries no such headers", async () => {
    assert.equal((await cors(["*"]).request({ path: CHANNELS })).headers, undefined);
  });
});

describe("faults", () => {
  const codes = ["STATE", "ADAPTER", "CACHE"].map((service) => `PIPIT_${service}_UNAVAILABLE`);

  test("a service of the cluster that is away is 503 with Retry-After, thrown or rejected", async () => {
    for (const code of codes) {
      for (const publish of [
        () => Promise.reject(fault(code)),
        () => {
          throw fault(code);
        },
      ]) {
        const api = createTestApi(testSettings(), { channels: channelsThat({ publish }) });
        const answer = await api.request({ path: EVENTS, body: BODY });
        assert.deepEqual([answer.status, answer.headers], [503, { "Retry-After": "1" }], code);
        assert.equal(api.api.counters.unavailable, 1);
        assert.deepEqual(api.errors, []);
      }
    }
  });

  test("any other fault is 500, logged without the body, and tells the caller nothing of it", async () => {
    const publish = () => Promise.reject(new Error("secret detail"));
    const api = createTestApi(testSettings(), { channels: channelsThat({ publish }) });
    const answer = await api.request({ path: EVENTS, body: BODY });
    assert.equal(answer.status, 500);
    assert.ok(!answer.body.includes("secret detail"));
    assert.equal(api.errors.length, 1);
    assert.equal(api.api.counters.failed, 1);
    assert.ok(!JSON.stringify(api.errors).includes("foo"));
  });

  test("a look-up of apps that fails is answered as well", async () => {
    const away = () => Promise.reject(fault("PIPIT_APPS_UNAVAILABLE"));
    const apps = { driver: "fake", byId: away, byKey: away, known: () => [] };
    const api = createTestApi(testSettings(), { apps });
    assert.equal((await api.request({ path: CHANNELS })).status, 503);
  });
});

const SNAPSHOT = { revision: "1-0-0-0", channels: new Map(), users: new Set("7"), isLast: true };

test("with drivers that answer later every route answers the same", async () => {
  const soon = createTestApi();
  const later = createTestApi(testSettings(), {
    apps: {
      driver: "later",
      byId: async (id) => (id === soon.app.id ? soon.app : undefined),
      byKey: async (key) => (key === KEY ? soon.app : undefined),
      known: () => [soon.app],
    },
    channels: {
      publish: async () => {},
      terminateUser: async () => {},
      cached: async () => ({ eventJson: '"e"', dataJson: '"d"', ttlMs: 1_000 }),
    },
    state: {
      channel: async () => ({ subscriptions: 2, users: 1 }),
      channels: async () => new Map([["presence-a", { subscriptions: 2, users: 1 }]]),
      users: async () => new Map([["1", "{}"]]),
      snapshot: async () => SNAPSHOT,
    },
  });
  soon.snapshots.push(SNAPSHOT);
  soon.cache.set("cache-a", { eventJson: '"e"', dataJson: '"d"', ttlMs: 1_000 });
  for (const name of ["presence-a", "cache-a"])
    soon.counts.set(name, { subscriptions: 2, users: 1 });
  soon.members.set("presence-a", new Map([["1", "{}"]]));
  const withInfo = '{"name":"n","channel":"presence-a","data":"","info":"user_count"}';
  for (const request of [
    { path: EVENTS, body: BODY },
    { path: EVENTS, body: withInfo },
    { path: "/apps/3/batch_events", body: `{"batch":[${BODY},${withInfo}]}` },
    { path: CHANNELS, params: { filter_by_prefix: "presence-", info: "user_count" } },
    { path: `${CHANNELS}/cache-a`, params: { info: "cache" } },
    { path: `${CHANNELS}/presence-a`, params: { info: "user_count" } },
    { path: `${CHANNELS}/presence-a/users` },
    { path: "/apps/3/webhooks/snapshot" },
    { path: "/users/1/terminate_connections", body: "{}" },
    { path: EVENTS, body: "[]" },
  ]) {
    assert.deepEqual(await later.request(request), await soon.request(request), request.path);
  }
});

test("with drivers that answer at once no promise is made", () => {
  const api = createTestApi();
  const head = { origin: undefined, accessControlRequestHeaders: undefined, address: () => "" };
  const begun = api.api.begin({
    ...head,
    method: "POST",
    path: EVENTS,
    query: signedQuery("POST", EVENTS, {}, BODY),
    contentLength: BODY.length,
  });
  assert.ok(!(begun instanceof Promise) && isBodyWanted(begun));
  assert.ok(!(begun.finish(Buffer.from(BODY)) instanceof Promise));
});

test("each answer is counted by route and status, timed, and added to the app's traffic", async () => {
  const api = createTestApi();
  await api.request({ path: EVENTS, body: BODY });
  await api.request({ path: EVENTS, body: BODY, query: "" });
  await api.request({ path: "/nothing" });
  await api.request({ path: "/health/live", query: "" });
  const { requests } = api.api.counters;
  assert.deepEqual(requests["/apps/{id}/events"], { 200: 1, 401: 1 });
  assert.deepEqual(requests.unknown, { 404: 1 });
  assert.deepEqual(requests["/health/live"], { 200: 1 });
  assert.deepEqual(
    api.observed.map(({ status }) => status),
    [200, 401, 404, 200],
  );
  const { httpRequests, httpBytesReceived, httpBytesSent } = api.app.traffic;
  assert.deepEqual([httpRequests, httpBytesReceived], [2, BODY.length]);
  assert.ok(httpBytesSent > 2);
});
