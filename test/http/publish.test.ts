import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createTestApi, testSettings, withLimits, withSubscriptionCount } from "./test-api.ts";

const EVENTS = "/apps/3/events";
const BATCH = "/apps/3/batch_events";

function body(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    name: "foo",
    channels: ["project-3"],
    data: '{"some":"data"}',
    ...changes,
  });
}

describe("POST events", () => {
  test("the event reaches channels encoded once, and the answer is an empty object", async () => {
    const api = createTestApi();
    const answer = await api.request({ path: EVENTS, body: body({ socket_id: "1.2" }) });
    assert.equal(answer.status, 200);
    assert.equal(answer.body, "{}");
    assert.equal(answer.route, "/apps/{id}/events");
    assert.equal(api.published.length, 1);
    const { eventJson, channels, dataJson, exceptSocketId } = api.published[0]!;
    assert.equal(eventJson, '"foo"');
    assert.deepEqual(channels, ["project-3"]);
    assert.equal(dataJson, '"{\\"some\\":\\"data\\"}"');
    assert.equal(exceptSocketId, "1.2");
  });

  test("info is told for each channel that it applies to", async () => {
    const api = createTestApi(withSubscriptionCount());
    api.counts.set("presence-a", { subscriptions: 50, users: 42 });
    api.counts.set("b", { subscriptions: 13, users: 0 });
    const answer = await api.request({
      path: EVENTS,
      body: body({
        channels: ["b", "presence-a", "#server-to-user-1"],
        info: "user_count,subscription_count",
      }),
    });
    assert.deepEqual(answer.json, {
      channels: {
        "presence-a": { user_count: 42 },
        b: { subscription_count: 13 },
        "#server-to-user-1": {},
      },
    });
  });

  test("info that applies to no channel, or is unknown, is refused before anything is sent", async () => {
    const api = createTestApi();
    for (const info of ["user_count", "subscription_count", "cache", "colour"]) {
      const answer = await api.request({ path: EVENTS, body: body({ info }) });
      assert.equal(answer.status, 400, info);
      assert.match(answer.error, /"info"/);
    }
    assert.equal(api.published.length, 0);
  });

  test("an empty info reads as none", async () => {
    const answer = await createTestApi().request({ path: EVENTS, body: body({ info: "" }) });
    assert.equal(answer.body, "{}");
  });

  test("data over the limit is 413 and tells found and allowed bytes", async () => {
    const api = createTestApi(withLimits({ maxEventPayloadBytes: 10 }));
    assert.equal(
      (await api.request({ path: EVENTS, body: body({ data: "é".repeat(5) }) })).status,
      200,
    );
    const answer = await api.request({ path: EVENTS, body: body({ data: `${"é".repeat(5)}x` }) });
    assert.equal(answer.status, 413);
    assert.match(answer.error, /11 bytes, 10 are allowed/);
  });

  test("a body that is no JSON, or no UTF-8, is refused with a sentence", async () => {
    const api = createTestApi();
    const broken = await api.request({ path: EVENTS, body: "{" });
    assert.equal(broken.status, 400);
    assert.match(broken.error, /^The body is not JSON: /);
    assert.deepEqual(broken.json, { error: broken.error, code: 400 });
    const bytes = Buffer.from('{"name":"\xff"}', "latin1");
    const answer = await api.request({ path: EVENTS, body: bytes });
    assert.deepEqual([answer.status, answer.error], [400, "The body is not UTF-8."]);
    assert.equal((await api.request({ method: "POST", path: EVENTS })).status, 400);
  });

  test("each channel of each event costs a point; over the rate the answer is 429 and says when to return", async () => {
    const api = createTestApi(withLimits({ maxBackendEventsPerSecond: 5 }));
    const three = { path: EVENTS, body: body({ channels: ["a", "b", "c"] }) };
    assert.equal((await api.request(three)).status, 200);
    const answer = await api.request(three);
    assert.equal(answer.status, 429);
    assert.deepEqual(answer.headers, {
      "Retry-After": "1",
      "X-RateLimit-Limit": "5",
      "X-RateLimit-Remaining": "2",
    });
    assert.equal(api.api.counters.rateLimited, 1);
    assert.equal(api.published.length, 1);
    api.nowMs += 1_000;
    assert.equal((await api.request(three)).status, 200);
  });

  test("an app without a rate limit is never told to wait", async () => {
    const api = createTestApi(testSettings());
    for (let i = 0; i < 200; i++) {
      assert.equal((await api.request({ path: EVENTS, body: body() })).status, 200);
    }
  });
});

describe("POST batch_events", () => {
  const item = (changes: Record<string, unknown> = {}) => ({
    name: "n",
    channel: "c",
    data: "d",
    ...changes,
  });
  const batch = (...events: unknown[]) => JSON.stringify({ batch: events });

  test("all events are handed over in order, and the answer is an empty object", async () => {
    const api = createTestApi();
    const answer = await api.request({
      path: BATCH,
      body: batch(item({ channel: "a" }), item({ channel: "b" })),
    });
    assert.equal(answer.body, "{}");
    assert.deepEqual(
      api.published.map(({ channels }) => channels),
      [["a"], ["b"]],
    );
  });

  test("one bad event and none is sent; the sentence names it", async () => {
    const api = createTestApi();
    const answer = await api.request({
      path: BATCH,
      body: batch(item(), item({ channel: "two words" })),
    });
    assert.equal(answer.status, 400);
    assert.match(answer.error, /^batch\[1\]: The channel name "two words"/);
    const badInfo = await api.request({ path: BATCH, body: batch(item(), item({ info: "x" })) });
    assert.equal(badInfo.status, 400);
    assert.match(badInfo.error, /^batch\[1\]: "info" names "x"/);
    assert.equal(api.published.length, 0);
  });

  test("with any info the answer has an entry for each event, in order", async () => {
    const api = createTestApi();
    api.counts.set("presence-a", { subscriptions: 3, users: 2 });
    const answer = await api.request({
      path: BATCH,
      body: batch(item(), item({ channel: "presence-a", info: "user_count" }), item()),
    });
    assert.deepEqual(answer.json, { batch: [{}, { user_count: 2 }, {}] });
  });

  test("more events than allowed are refused, a batch of none is fine", async () => {
    const api = createTestApi();
    const answer = await api.request({ path: BATCH, body: batch(...Array(11).fill(item())) });
    assert.equal(answer.status, 400);
    assert.match(answer.error, /11 events, 10 are allowed/);
    assert.equal((await api.request({ path: BATCH, body: batch() })).body, "{}");
  });
});
