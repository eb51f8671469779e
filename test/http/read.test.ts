import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createTestApi, withLimits, withSubscriptionCount } from "./test-api.ts";

describe("GET channels", () => {
  const path = "/apps/3/channels";

  test("lists occupied channels as an object, also when there are none", async () => {
    const api = createTestApi();
    assert.equal((await api.request({ path })).body, '{"channels":{}}');
    api.counts.set("b", { subscriptions: 1, users: 0 });
    api.counts.set("presence-a", { subscriptions: 2, users: 1 });
    const { json } = await api.request({ path });
    assert.deepEqual(json, { channels: { b: {}, "presence-a": {} } });
  });

  test("user_count comes with a filter for presence channels and is refused without", async () => {
    const api = createTestApi();
    api.counts.set("b", { subscriptions: 1, users: 0 });
    api.counts.set("presence-a", { subscriptions: 2, users: 1 });
    const params = { filter_by_prefix: "presence-", info: "user_count" };
    assert.deepEqual((await api.request({ path, params })).json, {
      channels: { "presence-a": { user_count: 1 } },
    });
    for (const filter_by_prefix of ["", "presence", "private-"]) {
      const answer = await api.request({ path, params: { filter_by_prefix, info: "user_count" } });
      assert.equal(answer.status, 400, filter_by_prefix);
      assert.match(answer.error, /filter_by_prefix must begin with presence-/);
    }
  });

  test("subscription_count comes where the app has the feature and is refused elsewhere", async () => {
    const params = { info: "subscription_count" };
    const api = createTestApi(withSubscriptionCount());
    api.counts.set("b", { subscriptions: 7, users: 0 });
    api.counts.set("presence-a", { subscriptions: 2, users: 1 });
    assert.deepEqual((await api.request({ path, params })).json, {
      channels: { b: { subscription_count: 7 }, "presence-a": {} },
    });
    assert.equal((await createTestApi().request({ path, params })).status, 400);
  });

  test("an empty info reads as none", async () => {
    assert.equal((await createTestApi().request({ path, params: { info: "" } })).status, 200);
  });

  test("reads over the rate are 429, and a second later they pass again", async () => {
    const api = createTestApi(withLimits({ maxReadRequestsPerSecond: 2 }));
    const statuses: number[] = [];
    for (let i = 0; i < 3; i++) statuses.push((await api.request({ path })).status);
    assert.deepEqual(statuses, [200, 200, 429]);
    api.nowMs += 1_000;
    assert.equal((await api.request({ path })).status, 200);
  });
});

describe("GET channels/{name}", () => {
  const path = "/apps/3/channels";

  test("tells whether anybody is there, unknown channels included", async () => {
    const api = createTestApi();
    api.counts.set("b", { subscriptions: 1, users: 0 });
    assert.equal((await api.request({ path: `${path}/b` })).body, '{"occupied":true}');
    assert.equal((await api.request({ path: `${path}/c` })).body, '{"occupied":false}');
  });

  test("tells what is asked and applies", async () => {
    const api = createTestApi(withSubscriptionCount());
    api.counts.set("presence-a", { subscriptions: 3, users: 2 });
    api.counts.set("cache-b", { subscriptions: 4, users: 0 });
    api.cache.set("cache-b", { eventJson: '"e"', dataJson: '"{}"', ttlMs: 59_001 });
    const get = async (name: string, info: string) =>
      (await api.request({ path: `${path}/${name}`, params: { info } })).json;
    assert.deepEqual(await get("presence-a", "user_count"), { occupied: true, user_count: 2 });
    assert.deepEqual(await get("presence-x", "user_count"), { occupied: false, user_count: 0 });
    assert.deepEqual(await get("cache-b", "subscription_count,cache"), {
      occupied: true,
      subscription_count: 4,
      cache: { data: "{}", ttl: 60 },
    });
    assert.deepEqual(await get("cache-x", "cache"), { occupied: false, cache: null });
  });

  test("an attribute that does not apply is 400", async () => {
    const api = createTestApi();
    for (const [name, info] of [
      ["a", "user_count"],
      ["a", "cache"],
      ["a", "subscription_count"],
      ["my-cache-a", "cache"],
      ["presence-a", "user_count,cache"],
      ["a", "colour"],
    ] as const) {
      const answer = await api.request({ path: `${path}/${name}`, params: { info } });
      assert.equal(answer.status, 400, `${name} ${info}`);
      assert.match(answer.error, /"info"/);
    }
    const counted = createTestApi(withSubscriptionCount());
    const params = { info: "subscription_count" };
    assert.equal((await counted.request({ path: `${path}/presence-a`, params })).status, 400);
  });

  test("a name that no channel can have is 400 and says why", async () => {
    const api = createTestApi();
    const answer = await api.request({ path: `${path}/two%20words` });
    assert.equal(answer.status, 400);
    assert.match(answer.error, /"two words".*position 4/);
    assert.equal((await api.request({ path: `${path}/%23server-to-user-1` })).status, 400);
  });
});

describe("GET channels/{name}/users", () => {
  const path = "/apps/3/channels/presence-a/users";

  test("lists user ids as strings, with their info where it is asked for", async () => {
    const api = createTestApi();
    api.members.set(
      "presence-a",
      new Map([
        ["1", '{"name":"Ada"}'],
        ['"', "{}"],
      ]),
    );
    assert.deepEqual((await api.request({ path })).json, { users: [{ id: "1" }, { id: '"' }] });
    assert.deepEqual((await api.request({ path, params: { with_user_info: "1" } })).json, {
      users: [
        { id: "1", user_info: { name: "Ada" } },
        { id: '"', user_info: {} },
      ],
    });
  });

  test("an unknown presence channel has no users; any other kind is 400", async () => {
    const api = createTestApi();
    assert.equal((await api.request({ path })).body, '{"users":[]}');
    const answer = await api.request({ path: "/apps/3/channels/private-a/users" });
    assert.equal(answer.status, 400);
    assert.match(answer.error, /"private-a".*no presence channel/);
  });
});
