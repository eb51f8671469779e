import assert from "node:assert/strict";
import { test } from "node:test";
import { pick as pickFrom, seededSource } from "../support/random-source.ts";
import { endpoint } from "../webhooks/fixtures.ts";
import { createTestApi, signedQuery, withSubscriptionCount } from "./test-api.ts";

const METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"];
const PATHS = [
  "/apps/3/events",
  "/apps/3/batch_events",
  "/apps/3/channels",
  "/apps/3/channels/presence-a",
  "/apps/3/channels/cache-a",
  "/apps/3/channels/presence-a/users",
  "/apps/3/users/1/terminate_connections",
  "/users/1/terminate_connections",
  "/apps/3/webhooks",
  "/apps/3/webhooks/explain",
  "/apps/3/webhooks/a/dead_letters",
  "/apps/3/webhooks/a/events/1-1-1-1",
  "/apps/3/webhooks/a/replay",
  "/apps/3/webhooks/a/drop",
  "/apps/3/webhooks/a/move",
  "/apps/3/webhooks/a/pause",
  "/up/3",
  "/%",
  "/apps/%ff/events",
  "/apps/__proto__/channels/constructor",
];
const BODIES = [
  "",
  "{}",
  "[]",
  "null",
  '"x"',
  "{",
  '{"name":"n","channel":"a","data":"x"}',
  '{"name":"n","channels":["a","presence-b"],"data":{"a":[1]},"info":"user_count"}',
  '{"batch":[{"name":"n","channel":"a","data":""}]}',
  '{"batch":[null]}',
  '{"ids":["1-1-1-1"],"channel":"a"}',
  '{"backlog":true}',
  '{"to":"b","cursor":"x"}',
  '{"batch":{"length":3}}',
  '{"name":{"length":1},"channels":{"length":1},"data":1,"__proto__":1}',
  `{"name":"n","channel":"a","data":${"[".repeat(9_000)}${"]".repeat(9_000)}}`,
];
const VALUES = ["", "user_count", "cache,,user_count", "presence-", "%", "constructor", "1"];

test("any request, signed or not, is answered below 500 with JSON that fits its status", async (t) => {
  const { seed, below } = seededSource(t);
  const pick = (from: readonly string[]): string => pickFrom(below, from);
  const mutate = (text: string): string => {
    if (text === "" || below(3) > 0) return text;
    const at = below(text.length);
    return text.slice(0, at) + String.fromCharCode(32 + below(95)) + text.slice(at + below(3));
  };
  const api = createTestApi({
    ...withSubscriptionCount(),
    webhooks: [endpoint("a")],
  });
  const statuses = new Set<number>();
  for (let round = 0; round < 10_000; round++) {
    const method = pick(METHODS);
    const path = mutate(pick(PATHS));
    const body = mutate(pick(BODIES));
    const isPlain = below(2) === 0;
    const params = isPlain ? {} : { info: pick(VALUES), filter_by_prefix: pick(VALUES) };
    const query = mutate(signedQuery(method, path, params, body));
    const request = { method, path, body, query };
    const answer = await api.request(request);
    statuses.add(answer.status);
    const asked = `seed ${seed}: ${JSON.stringify(request).slice(0, 300)}`;
    assert.ok(answer.status >= 200 && answer.status < 500, asked);
    if (answer.status >= 400 && answer.contentType === undefined) {
      const { code } = answer.json as { code?: unknown };
      assert.equal(code, answer.status, asked);
      assert.ok(answer.error.length > 0, asked);
    }
  }
  for (const status of [200, 204, 400, 401, 404, 405]) assert.ok(statuses.has(status), `${status}`);
  assert.deepEqual(api.errors, []);
});
