import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { maskSecrets } from "../../src/config/mask.ts";
import { readConfig } from "../../src/config/read-config.ts";

function problems(redis: unknown): readonly string[] {
  const read = readConfig({ redis });
  return "problems" in read ? read.problems : [];
}

describe("the redis section", () => {
  test("is left out by default, and is filled with defaults when it is given", () => {
    const alone = readConfig({});
    assert.ok("config" in alone);
    assert.equal(alone.config.redis, undefined);
    const shared = readConfig({ redis: { url: "redis://127.0.0.1:6379/3" } });
    assert.ok("config" in shared);
    assert.deepEqual(shared.config.redis, {
      url: "redis://127.0.0.1:6379/3",
      master_name: "mymaster",
      key_prefix: "pipit:",
      partitions: 64,
    });
  });

  test("says where Redis is in exactly one way", () => {
    assert.deepEqual(problems({}), [
      "redis.url: is missing, needed: one of url, sentinels and cluster",
    ]);
    assert.match(problems({ url: "redis://a", cluster: ["a:1"] }).join(), /url is given already/);
    for (const place of [
      { url: "rediss://user:word@redis.example:6380/0", tls: {} },
      { sentinels: ["10.0.0.1:26379", "[::1]:26379"], master_name: "main" },
      { cluster: ["a.example:6379"], partitions: 256 },
    ]) {
      assert.deepEqual(problems(place), []);
    }
  });

  test("refuses what cannot be a Redis, and never shows a password of a url", () => {
    const [problem] = problems({ url: "http://user:word@a" });
    assert.match(
      problem ?? "",
      /^redis\.url: found "http:\/\/\*\*\*@a", allowed: a redis or rediss/,
    );
    assert.match(problems({ url: "redis://a/x" }).join(), /redis\.url/);
    assert.match(problems({ cluster: ["a"] }).join(), /redis\.cluster\[0\].*host:port/);
    assert.match(problems({ cluster: ["a:1"], db: 1 }).join(), /redis\.db.*0 on a Redis Cluster/);
  });

  test("keeps braces out of the key prefix, where they would take the place of hash tags", () => {
    assert.match(problems({ url: "redis://a", key_prefix: "{a}" }).join(), /redis\.key_prefix/);
  });
});

describe("what --print shows of redis", () => {
  test("has no password, neither of its own key nor in the url", () => {
    const shown = JSON.stringify(
      maskSecrets({
        redis: {
          url: "redis://ann:s3cret@10.0.0.1:6379/2",
          password: "s3cret",
          sentinel_password: "s3cret",
        },
      }),
    );
    assert.doesNotMatch(shown, /s3cret/);
    assert.match(shown, /redis:\/\/ann:\*+@10\.0\.0\.1:6379\/2/);
  });
});
