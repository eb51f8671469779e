import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { runCli } from "../../src/cli/run.ts";
import { fakeWorld } from "./fake-world.ts";

const APP = { id: "1", key: "the-key", secret: "hush" };
const GOOD = { app_manager: { apps: [APP] } };

function folder(t: TestContext, config?: unknown): string {
  const path = mkdtempSync(join(tmpdir(), "pipit-cli-"));
  t.after(() => rmSync(path, { recursive: true }));
  if (config !== undefined) writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}

describe("pipit start", () => {
  test("says where it listens, for which apps and with what, and goes on", async (t) => {
    const world = fakeWorld(folder(t, GOOD));
    assert.equal(await runCli(["start"], world), undefined);
    const { out, err } = world.written;
    assert.match(out, /^Pipit 9\.9\.9 is listening\.$/m);
    assert.match(out, /ws:\/\/127\.0\.0\.1:12345\/app\/<key>/);
    assert.match(out, /http:\/\/127\.0\.0\.1:23456\/metrics/);
    assert.match(out, /id 1, key the-key/);
    assert.match(out, /memory \(apps, channel state\); other \(cache\)/);
    assert.match(out, /native-pack 1\.2\.3/);
    assert.match(out, /config\.json/);
    assert.match(out, /^Try: {2}curl http:\/\/127\.0\.0\.1:12345\/health\/ready$/m);
    assert.doesNotMatch(out + err, /hush/);
    assert.equal(err, "");
  });

  test("says where the other nodes are met, without the password", async (t) => {
    for (const [redis, place] of [
      [{ url: "redis://user:hush@10.0.0.1:6379/2" }, "redis://10.0.0.1:6379/2"],
      [
        { sentinels: ["10.0.0.1:26379"], password: "hush" },
        "mymaster of the sentinels 10.0.0.1:26379",
      ],
      [{ cluster: ["10.0.0.1:6379", "10.0.0.2:6379"] }, "cluster of 10.0.0.1:6379, 10.0.0.2:6379"],
    ] as const) {
      const world = fakeWorld(folder(t, { ...GOOD, redis }));
      await runCli(["start"], world);
      const line = /^ {2}Redis +(.+)$/m.exec(world.written.out)?.[1];
      assert.equal(line, `${place}, keys pipit:*, 64 partitions`);
      assert.doesNotMatch(world.written.out, /hush/);
    }
  });

  test("writes no text among JSON lines", async (t) => {
    const json = { ...GOOD, log: { format: "json" } };
    const world = fakeWorld(folder(t, json), { isTerminal: false });
    assert.equal(await runCli(["start"], world), undefined);
    assert.equal(world.written.out, "");
  });

  test("takes flags over everything else", async (t) => {
    const world = fakeWorld(folder(t, { ...GOOD, port: 1 }));
    await runCli(
      ["start", "--port", "0", "--host", "::1", "--metrics-port", "7", "--log-level", "warn"],
      world,
    );
    const config = world.served[0] as Record<string, { port?: number; level?: string }>;
    assert.deepEqual([config.port, config.host], [0, "::1"]);
    assert.equal(config.metrics?.port, 7);
    assert.equal(config.log?.level, "warn");
    assert.match(world.written.out, /ws:\/\/\[::1\]:12345/);
  });

  test("starts nothing on a configuration with problems, and prints each on one line", async (t) => {
    const world = fakeWorld(folder(t, { port: "x", hots: 1 }));
    assert.equal(await runCli(["start"], world), 1);
    assert.deepEqual(world.served, []);
    assert.match(world.written.err, /^port: found "x"/m);
    assert.match(world.written.err, /^hots: unknown key, did you mean "host"\?$/m);
    assert.match(world.written.err, /^pipit: 2 problems in .*config\.json$/m);
  });

  test("ends with one line and no stack on what a user can mend", async (t) => {
    const taken = Object.assign(new Error("Port 6001 is taken:\n  choose another."), {
      code: "PIPIT_PORT_UNAVAILABLE",
    });
    const world = fakeWorld(folder(t, GOOD), { listen: () => Promise.reject(taken) });
    assert.equal(await runCli(["start"], world), 1);
    assert.equal(world.written.err, "pipit: Port 6001 is taken: choose another.\n");
    assert.equal(world.written.out, "");
  });

  test("shows the stack of a fault of its own", async (t) => {
    const world = fakeWorld(folder(t, GOOD), {
      listen: () => Promise.reject(new TypeError("oops")),
    });
    assert.equal(await runCli(["start"], world), 1);
    assert.match(world.written.err, /please report it\.\nTypeError: oops\n {4}at /);
  });

  test("warns so that nobody overlooks it when the sample secret can be reached", async (t) => {
    const apps = [{ ...APP, secret: "pipit-secret" }];
    const world = fakeWorld(folder(t, { host: "0.0.0.0", app_manager: { apps } }));
    await runCli(["start"], world);
    assert.match(
      world.written.err,
      /^!{70,}\nSECURITY: the app "1" has the sample secret.*\n!{70,}$/m,
    );
    assert.match(world.written.out, /ws:\/\/0\.0\.0\.0:12345/);
    assert.match(world.written.out, /curl http:\/\/127\.0\.0\.1:12345/);
  });
});

describe("pipit check", () => {
  test("prints every problem with its path and ends with 1", async (t) => {
    const hook = {
      url: "ftp://a",
      event_types: ["channel_ocupied"],
      filter: { channel_pattern: "[" },
    };
    const apps = [{ ...APP, webhooks: [hook] }, APP];
    const world = fakeWorld(folder(t, { port: -1, app_manager: { apps } }));
    assert.equal(await runCli(["check"], world), 1);
    const paths = world.written.err.split("\n").map((line) => line.split(":")[0]);
    assert.deepEqual(paths.slice(0, -2), [
      "port",
      "app_manager.apps[0].webhooks[0].url",
      "app_manager.apps[0].webhooks[0].event_types[0]",
      "app_manager.apps[0].webhooks[0].filter.channel_name_pattern",
      "app_manager.apps[1].id",
      "app_manager.apps[1].key",
    ]);
  });

  test("says so when all is well, with what is worth a warning", async (t) => {
    const world = fakeWorld(folder(t, { ...GOOD, queue: {} }));
    assert.equal(await runCli(["check"], world), 0);
    assert.match(world.written.out, /can be used: .*config\.json, 1 app\.$/m);
    assert.match(world.written.err, /^warning: queue: means nothing here/);
    assert.deepEqual(world.served, []);
  });

  test("warns of webhook urls with an address that webhooks may not go to", async (t) => {
    const hosts = [
      "receiver.example",
      "169.254.169.254",
      "[fd00:ec2::254]",
      "0xa9.0xfe.1",
      "10.0.0.1",
    ];
    const hooks = hosts.map((host) => ({ url: `http://${host}/token` }));
    const warned = async (webhooks: object) => {
      const apps = [{ ...APP, webhooks: hooks }];
      const world = fakeWorld(folder(t, { webhooks, app_manager: { apps } }));
      assert.equal(await runCli(["check"], world), 0);
      assert.doesNotMatch(world.written.err, /token/);
      return [...world.written.err.matchAll(/webhooks\[(\d)\]\.url: \S+ is ([a-z-]+)/g)].map(
        ([, at, why]) => `${at} ${why}`,
      );
    };
    assert.deepEqual(await warned({}), ["1 link-local", "2 link-local", "3 link-local"]);
    const strict = { private_targets: "refuse" };
    assert.deepEqual((await warned(strict)).at(-1), "4 private");
    assert.equal((await warned({ ...strict, allowed_targets: ["10.0.0.0/8"] })).length, 3);
  });

  test("--print shows what is in effect, with secrets masked", async (t) => {
    const world = fakeWorld(folder(t, GOOD), { env: { PIPIT_PORT: "7" } });
    assert.equal(await runCli(["check", "--print"], world), 0);
    const printed = JSON.parse(world.written.out);
    assert.equal(printed.port, 7);
    assert.equal(printed.app_manager.apps[0].secret, "********");
    assert.equal(printed.webhooks.retry.budget_s, 300);
  });

  test("--connect tries Redis, and fails where a node could not start", async (t) => {
    const clustered = { ...GOOD, redis: { url: "redis://user:hush-hush@10.0.0.1:6379" } };
    const tried: unknown[] = [];
    const connected = async (problems: readonly string[], warnings: readonly string[]) => {
      const world = fakeWorld(folder(t, clustered), {
        checkRedis: async ({ redis }) => {
          tried.push(redis?.url);
          return { problems, warnings };
        },
      });
      return { code: await runCli(["check", "--connect"], world), ...world.written };
    };
    const well = await connected([], ["it may evict"]);
    assert.equal(well.code, 0);
    assert.match(well.out, /^Redis can be used\.$/m);
    assert.equal(well.err, "warning: it may evict\n");
    const ill = await connected(["redis: cannot be used: ECONNREFUSED"], []);
    assert.equal(ill.code, 1);
    assert.match(ill.err, /^redis: cannot be used: ECONNREFUSED$/m);
    assert.doesNotMatch(ill.out, /can be used/);
    assert.deepEqual(tried, [clustered.redis.url, clustered.redis.url]);
  });

  test("--connect without redis says that there is nothing to try, and without it nothing is tried", async (t) => {
    const alone = fakeWorld(folder(t, GOOD));
    assert.equal(await runCli(["check", "--connect"], alone), 0);
    assert.match(alone.written.err, /no redis in the configuration/);
    const checkRedis = () => Promise.reject(new Error("must not be tried"));
    const world = fakeWorld(folder(t, { ...GOOD, redis: { url: "redis://h" } }), { checkRedis });
    assert.equal(await runCli(["check"], world), 0);
  });
});

describe("pipit", () => {
  test("version names Pipit, Node and the native library that loads", async (t) => {
    const world = fakeWorld(folder(t));
    assert.equal(await runCli(["version"], world), 0);
    const node = process.versions.node;
    assert.equal(world.written.out, `pipit 9.9.9\nnode ${node}\nnative-pack 1.2.3\n`);
  });

  test("version still names Pipit and Node where the native library does not load", async (t) => {
    const missing = Object.assign(new Error("does not load"), { code: "PIPIT_UWS_UNAVAILABLE" });
    const world = fakeWorld(folder(t), { loadedUws: () => Promise.reject(missing) });
    assert.equal(await runCli(["version"], world), 1);
    assert.match(world.written.out, /^pipit 9\.9\.9\nnode /);
    assert.equal(world.written.err, "pipit: does not load\n");
  });

  test("a command or flag that is not there is an error with a hint", async (t) => {
    for (const args of [["strat"], ["start", "--prot", "1"], ["check", "--port", "x"]]) {
      const world = fakeWorld(folder(t));
      assert.equal(await runCli(args, world), 1);
      assert.match(world.written.err, /^error: /);
      assert.match(world.written.err, /pipit --help/);
    }
  });
});
