import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { WebhookEndpoint } from "../../src/apps/app.ts";
import type { LastDelivery } from "../../src/webhooks/last-deliveries.ts";
import { OutboxUnavailableError } from "../../src/webhooks/outbox.ts";
import { endpoint as anEndpoint } from "../webhooks/fixtures.ts";
import { type FakeWebhooks, fakeWebhooks, outboxEvent, status } from "./fake-webhooks.ts";
import { createTestApi, NOW_S, type TestApi, testSettings } from "./test-api.ts";

const ID = "1000-12-2000-0";
const NOW_MS = NOW_S * 1_000;

function endpoint(id: string, changes: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
  return { ...anEndpoint(id), url: "https://user.example:8443/hooks/secret-token", ...changes };
}

interface Rig {
  readonly api: TestApi;
  readonly webhooks: FakeWebhooks;
  readonly last: Map<string, LastDelivery>;
}

function createRig(endpoints: readonly WebhookEndpoint[] = [endpoint("orders")]): Rig {
  const webhooks = fakeWebhooks();
  const last = new Map<string, LastDelivery>();
  for (const { id } of endpoints) webhooks.statuses.push(status(id));
  const api = createTestApi(testSettings({ webhooks: endpoints }), {
    webhooks: {
      operations: webhooks.operations,
      lastDelivery: (_appId, endpointId, type, channel) =>
        last.get(`${endpointId}:${type}:${channel}`),
      now: () => NOW_MS,
    },
  });
  return { api, webhooks, last };
}

describe("GET webhooks", () => {
  test("says of each endpoint what most needs attention, and only the origin of its url", async () => {
    const { api, webhooks } = createRig();
    const failing = { sinceMs: NOW_MS - 60_000, attempts: 7, lastStatus: "500" };
    const pause = { reason: "gone", sinceMs: NOW_MS } as const;
    webhooks.statuses.length = 0;
    webhooks.statuses.push(
      status("orders", { failing, backlog: 4, oldestMs: NOW_MS - 90_000, deadLetters: 2 }),
      status("a", { pause, failing }),
      status("b", { configured: "disabled", pause }),
      status("c", { configured: "removed", backlog: 1, oldestMs: NOW_MS + 5_000 }),
      status("d"),
    );
    const { json, status: code, route, body } = await api.request({ path: "/apps/3/webhooks" });
    assert.deepEqual([code, route], [200, "/apps/{id}/webhooks"]);
    const { now_ms, endpoints } = json as { now_ms: number; endpoints: Record<string, unknown>[] };
    assert.equal(now_ms, NOW_MS);
    assert.deepEqual(
      endpoints.map(({ state }) => state),
      ["backing_off", "paused", "disabled", "removed", "healthy"],
    );
    assert.deepEqual(endpoints[0], {
      id: "orders",
      origin: "https://user.example:8443",
      state: "backing_off",
      configured: "enabled",
      pause: null,
      failing: { since_ms: NOW_MS - 60_000, attempts: 7, last_status: "500" },
      backlog: 4,
      oldest_ms: NOW_MS - 90_000,
      oldest_age_ms: 90_000,
      dead_letters: 2,
    });
    assert.deepEqual(endpoints[1]?.pause, { reason: "gone", since_ms: NOW_MS });
    assert.equal(endpoints[3]?.oldest_age_ms, 0, "a clock that is ahead makes no negative age");
    assert.doesNotMatch(body, /secret-token/);
  });

  test("is answered for a disabled app, whose events may still wait", async () => {
    const { api } = createRig();
    api.app.settings = { ...api.app.settings, enabled: false };
    assert.equal((await api.request({ path: "/apps/3/webhooks" })).status, 200);
    assert.equal((await api.request({ path: "/apps/3/channels" })).status, 403);
  });

  test("needs a signature, takes HEAD, and names its methods to any other", async () => {
    const { api } = createRig();
    const path = "/apps/3/webhooks";
    assert.equal((await api.request({ path, query: "" })).status, 401);
    assert.equal((await api.request({ path, method: "HEAD" })).status, 200);
    const put = await api.request({ path: "/apps/3/webhooks/orders/pause", method: "GET" });
    assert.deepEqual([put.status, put.headers], [405, { Allow: "POST, OPTIONS" }]);
    const preflight = await api.request({ path, method: "OPTIONS", query: "" });
    assert.equal(preflight.status, 204);
  });

  test("has routes under it, and nothing else", async () => {
    const { api } = createRig();
    for (const rest of ["/", "x", "/orders", "/orders/", "//replay", "/orders/other", "/a/b/c/d"]) {
      const answer = await api.request({ path: `/apps/3/webhooks${rest}` });
      assert.deepEqual([answer.status, answer.route], [404, "unknown"], rest);
    }
    for (const rest of ["/orders/replay/x", "/orders/events", "/orders/events/", "/a/events/b/c"]) {
      assert.equal((await api.request({ path: `/apps/3/webhooks${rest}` })).status, 404, rest);
    }
  });

  test("is 503 with Retry-After while the outbox is away", async () => {
    const { api, webhooks } = createRig();
    const away = async () => {
      throw new OutboxUnavailableError(3, new Error("no"));
    };
    Object.assign(webhooks.operations, { status: away, replay: away });
    for (const request of [
      { path: "/apps/3/webhooks" },
      { path: "/apps/3/webhooks/orders/replay", body: '{"all":true}' },
    ]) {
      const answer = await api.request(request);
      assert.deepEqual([answer.status, answer.headers], [503, { "Retry-After": "1" }]);
      assert.match(answer.error, /PIPIT_OUTBOX_UNAVAILABLE/);
    }
  });
});

describe("GET webhooks/{endpoint}/dead_letters", () => {
  const path = "/apps/3/webhooks/orders/dead_letters";

  test("lists those that all parts of the query mean, page by page", async () => {
    const { api, webhooks } = createRig();
    webhooks.letters.push(
      { event: outboxEvent(ID), reason: "budget", status: "500", diedMs: 9 },
      {
        event: outboxEvent("1000-12-2000-1", { channel: "a&b" }),
        reason: "overflow",
        status: undefined,
        diedMs: 9,
      },
    );
    const all = await api.request({ path, params: { limit: "1" } });
    assert.deepEqual(all.json, {
      dead_letters: [
        {
          id: ID,
          event: "channel_occupied",
          channel: "room",
          bytes: 44,
          decided_ms: 1_000,
          reason: "budget",
          last_status: "500",
          died_ms: 9,
        },
      ],
      next: "dead:1:",
    });
    const rest = await api.request({ path, params: { cursor: "dead:1:", channel: "a&b" } });
    const { dead_letters, next } = rest.json as { dead_letters: unknown[]; next: unknown };
    assert.deepEqual([dead_letters.length, next], [1, null]);
    for (const params of [{ reason: "refused" }, { event: "cache_miss" }, { channel: "other" }]) {
      const none = await api.request({ path, params });
      assert.deepEqual(none.json, { dead_letters: [], next: null });
    }
  });

  test("says what is wrong with a query", async () => {
    const { api } = createRig();
    for (const [params, text] of [
      [{ chanel: "x" }, /"chanel" is no parameter.*cursor, limit, channel/],
      [{ limit: "0" }, /"limit" is "0".*from 1 to 1000/],
      [{ limit: "1e3" }, /"limit" is "1e3"/],
      [{ cursor: "" }, /"cursor" is "", what the call before/],
      [{ cursor: "dead:x" }, /"cursor" is "dead:x"/],
      [{ event: "ocupied" }, /"event" is "ocupied", one of channel_occupied/],
      [{ reason: "age" }, /"reason" is "age", one of budget, refused, overflow/],
      [{ channel: "" }, /"channel" must be a channel's name/],
    ] as const) {
      const answer = await api.request({ path, params: params as Record<string, string> });
      assert.equal(answer.status, 400, answer.body);
      assert.match(answer.error, text);
    }
  });

  test("of an endpoint that is not there is 404 and says which there are", async () => {
    const { api, webhooks } = createRig();
    webhooks.statuses.push(status("gone", { configured: "removed" }));
    const wrong = await api.request({ path: "/apps/3/webhooks/order/dead_letters" });
    assert.equal(wrong.status, 404);
    assert.equal(wrong.error, 'App "3" has no webhook endpoint "order": it has orders, gone.');
    const gone = await api.request({ path: "/apps/3/webhooks/gone/dead_letters" });
    assert.equal(gone.status, 200);
  });
});

describe("GET webhooks/{endpoint}/events/{event_id}", () => {
  test("has the payload as an object, and says where the event stands", async () => {
    const { api, webhooks } = createRig();
    webhooks.letters.push({ event: outboxEvent(ID), reason: "refused", status: "422", diedMs: 9 });
    webhooks.waiting.push(outboxEvent("1000-12-2000-7"));
    const dead = await api.request({ path: `/apps/3/webhooks/orders/events/${ID}` });
    const { place, payload, last_status } = dead.json as Record<string, unknown>;
    assert.deepEqual(
      [place, payload, last_status],
      ["dead", { name: "channel_occupied", channel: "room" }, "422"],
    );
    const waiting = await api.request({ path: "/apps/3/webhooks/orders/events/1000-12-2000-7" });
    assert.equal((waiting.json as { place: string }).place, "waiting");
    const none = await api.request({ path: "/apps/3/webhooks/orders/events/1-1-1-1" });
    assert.equal(none.status, 404);
    assert.match(none.error, /"1-1-1-1" neither waits for endpoint "orders" nor/);
  });
});

describe("POST webhooks/{endpoint}", () => {
  test("replays and drops what the body means, one step a call", async () => {
    const { api, webhooks } = createRig();
    const post = (action: string, body: unknown) =>
      api.request({ path: `/apps/3/webhooks/orders/${action}`, body: JSON.stringify(body) });
    const replayed = await post("replay", { ids: [ID], cursor: "dead:4:", limit: 7 });
    assert.deepEqual([replayed.status, replayed.json], [200, { changed: 2, next: "dead:3:" }]);
    await post("replay", { all: true });
    const dropped = await post("drop", { channel: "room", event: "cache_miss", reason: "budget" });
    assert.deepEqual(dropped.json, { changed: 2, next: null });
    await post("drop", { backlog: true, cursor: null });
    await post("move", { to: "other", limit: 1_000 });
    const first = { cursor: undefined, limit: 500 };
    assert.deepEqual(webhooks.asked, [
      ["replay", "orders", { ids: new Set([ID]) }, { cursor: "dead:4:", limit: 7 }],
      ["replay", "orders", {}, first],
      ["drop", "orders", { channel: "room", type: "cache_miss", reason: "budget" }, first],
      ["dropBacklog", "orders", first],
      ["move", "orders", "other", { cursor: undefined, limit: 1_000 }],
    ]);
  });

  test("pauses, resumes and tries again, with an empty body or an object", async () => {
    const { api, webhooks } = createRig();
    for (const action of ["pause", "resume", "retry"]) {
      const path = `/apps/3/webhooks/orders/${action}`;
      const answer = await api.request({ method: "POST", path });
      assert.deepEqual([answer.status, answer.body], [200, "{}"]);
      assert.equal((await api.request({ path, body: "{}" })).status, 200);
      assert.match((await api.request({ path, body: '{"all":true}' })).error, /takes no fields/);
    }
    assert.deepEqual(
      webhooks.asked.map(([name]) => name),
      ["pause", "pause", "resume", "resume", "retry", "retry"],
    );
  });

  test("changes nothing unless the body says clearly what is meant", async () => {
    const { api, webhooks } = createRig();
    for (const [action, body, text] of [
      ["replay", "", /Say which events are meant/],
      ["drop", "{}", /Say which events are meant: "ids", "channel"/],
      ["replay", "[]", /must be a JSON object/],
      ["replay", "{", /not JSON/],
      ["replay", '{"all":false}', /"all" must be true/],
      ["replay", '{"all":true,"channel":"a"}', /"all" goes with none of/],
      ["replay", '{"id":"x"}', /"id" is no field of this body: it takes "ids"/],
      ["replay", '{"ids":[]}', /list of 1 to 1000 event ids/],
      ["replay", '{"ids":["1-2"]}', /"ids" has "1-2"/],
      ["replay", '{"ids":[7]}', /"ids" has "7"/],
      ["replay", '{"all":true,"limit":1001}', /"limit" is "1001"/],
      ["replay", '{"all":true,"limit":"5"}', /"limit" is "5"/],
      ["replay", '{"all":true,"cursor":5}', /"cursor" must be/],
      ["replay", '{"backlog":true}', /"backlog" is no field/],
      ["drop", '{"backlog":1}', /"backlog" must be true/],
      ["drop", '{"backlog":true,"channel":"a"}', /"channel" is no field.*cannot be chosen from/],
      ["move", "{}", /"to" must be the id/],
      ["move", '{"to":"b","all":true}', /"all" is no field/],
    ] as const) {
      const path = `/apps/3/webhooks/orders/${action}`;
      const answer = await api.request({ method: "POST", path, body });
      assert.equal(answer.status, 400, `${action} ${body} ${answer.body}`);
      assert.match(answer.error, text);
    }
    const path = "/apps/3/webhooks/orders/replay";
    const query = await api.request({ path, body: '{"all":true}', params: { limit: "3" } });
    assert.match(query.error, /"limit" is no parameter/);
    assert.deepEqual(webhooks.asked, []);
  });

  test("answers 409 with the reason when it is refused", async () => {
    const { api, webhooks } = createRig();
    webhooks.refusal = "Endpoint orders is enabled: disable it first.";
    for (const [action, body] of [
      ["replay", '{"all":true}'],
      ["drop", '{"backlog":true}'],
      ["move", '{"to":"b"}'],
      ["pause", "{}"],
    ]) {
      const answer = await api.request({
        path: `/apps/3/webhooks/orders/${action}`,
        body: String(body),
      });
      assert.deepEqual([answer.status, answer.error], [409, webhooks.refusal]);
    }
  });

  test("to an endpoint that is not there is 404, but a later step of a change goes on", async () => {
    const { api, webhooks } = createRig();
    const path = "/apps/3/webhooks/gone/move";
    assert.equal((await api.request({ path, body: '{"to":"orders"}' })).status, 404);
    assert.deepEqual(webhooks.asked, []);
    const later = await api.request({ path, body: '{"to":"orders","cursor":"waiting:9:"}' });
    assert.equal(later.status, 200);
  });
});

describe("GET webhooks/explain", () => {
  const path = "/apps/3/webhooks/explain";

  test("says of each endpoint what takes or refuses the event, and where things stand", async () => {
    const { api, webhooks, last } = createRig([
      endpoint("orders"),
      endpoint("beta", {
        filter: { startsWith: "beta-", endsWith: undefined, pattern: undefined },
      }),
    ]);
    webhooks.statuses[0] = status("orders", { deadLetters: 1, backlog: 3, oldestMs: NOW_MS });
    webhooks.letters.push({ event: outboxEvent(ID), reason: "budget", status: "500", diedMs: 9 });
    webhooks.waiting.push(outboxEvent("1-2-1-1", { channel: "hall" }), outboxEvent("1-2-2-1"));
    const taken = { eventId: "1-1-1-1", channel: "room", deliveredMs: 5, latencyMs: 12 };
    last.set("orders:channel_occupied:room", taken);
    const params = { event: "channel_occupied", channel: "room" };
    const answer = await api.request({ path, params });
    assert.equal(answer.status, 200);
    const { impossible, endpoints } = answer.json as {
      impossible: string[];
      endpoints: Record<string, unknown>[];
    };
    assert.deepEqual(impossible, []);
    const [orders, beta] = endpoints;
    assert.deepEqual([orders?.id, orders?.takes, orders?.backlog], ["orders", true, 3]);
    assert.deepEqual(orders?.last_delivery, {
      id: "1-1-1-1",
      channel: "room",
      delivered_ms: 5,
      latency_ms: 12,
    });
    const dead = orders?.dead_letters_of_it as Record<string, unknown>;
    assert.equal(dead.found, 1);
    assert.equal((dead.latest as { id: string }).id, ID);
    const waiting = orders?.waiting_of_it as Record<string, unknown>;
    assert.deepEqual([waiting.found, waiting.is_complete], [1, true]);
    const { id, event, channel } = waiting.oldest as Record<string, unknown>;
    assert.deepEqual([id, event, channel], ["1-2-2-1", "channel_occupied", "room"]);
    assert.deepEqual([beta?.waiting_of_it, beta?.dead_letters_of_it], [null, null]);
    assert.deepEqual([beta?.takes, beta?.last_delivery], [false, null]);
    assert.match(String(beta?.refusals), /filter.channel_name_starts_with is "beta-"/);
    const one = await api.request({ path, params: { ...params, endpoint: "beta" } });
    assert.equal((one.json as { endpoints: unknown[] }).endpoints.length, 1);
  });

  test("says what waits of an endpoint that has no dead letters", async () => {
    const { api, webhooks } = createRig();
    webhooks.statuses[0] = status("orders", { backlog: 1, oldestMs: NOW_MS });
    webhooks.waiting.push(outboxEvent(ID));
    const params = { event: "channel_occupied", channel: "room" };
    const { endpoints } = (await api.request({ path, params })).json as {
      endpoints: { waiting_of_it: { found: number } }[];
    };
    assert.equal(endpoints[0]?.waiting_of_it.found, 1);
  });

  test("says when no channel of that kind has the event", async () => {
    const { api } = createRig();
    const params = { event: "member_added", channel: "room" };
    const { impossible } = (await api.request({ path, params })).json as { impossible: string[] };
    assert.match(String(impossible), /Only presence channels/);
  });

  test("says what is missing from the question", async () => {
    const { api } = createRig();
    const ask = (params: Record<string, string>) => api.request({ path, params });
    assert.match((await ask({ channel: "a" })).error, /"event" is missing, one of/);
    assert.match((await ask({ event: "cache_miss" })).error, /"channel" is missing/);
    const other = await ask({ event: "cache_miss", channel: "a", endpoint: "x" });
    assert.deepEqual([other.status, /no webhook endpoint "x"/.test(other.error)], [404, true]);
  });
});
