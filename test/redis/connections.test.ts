import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Log } from "../../src/protocol/log.ts";
import { createRedisConnections } from "../../src/redis/connections.ts";
import { loadScript, type Script } from "../../src/redis/script.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { openConnections } from "./open-connections.ts";

const UNAVAILABLE = { code: "PIPIT_REDIS_UNAVAILABLE" };

describe("connect", () => {
  test("waits for a Redis that is not there yet, says so once, and goes on when it comes", async (t) => {
    const server = await startRedis(t);
    await server.stop();
    const { log, lines } = recordingLog();
    const connections = createRedisConnections({ url: server.url }, log);
    t.after(() => connections.close());
    const ups: string[] = [];
    connections.onUp(() => ups.push("up"));
    assert.equal(connections.problem(), undefined);
    const connected = connections.connect();
    await until("the absence is told", () => lines.length > 0);
    assert.equal(connections.isUp(), false);
    assert.match(connections.problem() ?? "", /ECONNREFUSED/);
    await server.restart();
    await connected;
    assert.equal(connections.isUp(), true);
    assert.deepEqual(ups, ["up"]);
    assert.deepEqual(lines, ["warn redis is away, trying again", "info redis is there"]);
  });

  test("says once that Redis is full when it needs room to join, with what to do, and goes on", async (t) => {
    const server = await startRedis(t, { args: ["--maxmemory", "1"] });
    const { log, lines, reasons } = recordingLog();
    const connections = createRedisConnections({ url: server.url }, log);
    t.after(() => connections.close());
    const connected = connections.connect();
    await until("it is told", () => connections.isRefused());
    assert.equal(connections.isUp(), false);
    const { calls } = connections.counters.commands;
    await until("it has tried again", () => connections.counters.commands.calls > calls + 1);
    assert.deepEqual(lines, [
      "error redis does not let this node join",
      "warn redis is away, trying again",
    ]);
    const full = "join: Redis refuses it with OOM: it is full, raise its maxmemory.";
    assert.deepEqual(reasons, [full, full]);
    await server.call("CONFIG", "SET", "maxmemory", "0");
    await connected;
    assert.equal(connections.isRefused(), false);
  });

  test("needs no room in a Redis that has had nodes", async (t) => {
    const server = await startRedis(t);
    await (await openConnections(t, { url: server.url })).close();
    await server.call("CONFIG", "SET", "maxmemory", "1");
    assert.equal((await openConnections(t, { url: server.url })).isUp(), true);
  });

  test("is in vain once the connections are closed", async (t) => {
    const server = await startRedis(t);
    await server.stop();
    const connections = createRedisConnections({ url: server.url }, recordingLog().log);
    const connected = connections.connect();
    await connections.close();
    await assert.rejects(connected, UNAVAILABLE);
    await assert.rejects(connections.commands.call("GET", "a"), UNAVAILABLE);
    await assert.rejects(connections.bus.subscribe(connections.keys.wakeTopic(0)), UNAVAILABLE);
  });

  test("refuses to join nodes that have another number of partitions, and says which", async (t) => {
    const server = await startRedis(t);
    await openConnections(t, { url: server.url, partitions: 8 });
    const other = createRedisConnections({ url: server.url, partitions: 16 }, recordingLog().log);
    await assert.rejects(other.connect(), {
      code: "PIPIT_REDIS_DEPLOYMENT",
      message: /has 8 partitions, redis\.partitions is 16: set it to 8/,
    });
    await openConnections(t, { url: server.url, partitions: 16, keyPrefix: "other:" });
  });

  test("refuses to join nodes of another schema, and says how to go on", async (t) => {
    const server = await startRedis(t);
    await server.call("HSET", "pipit:meta", "schema", 2, "partitions", 64);
    const connections = createRedisConnections({ url: server.url }, recordingLog().log);
    await assert.rejects(connections.connect(), {
      code: "PIPIT_REDIS_DEPLOYMENT",
      message: /schema 2 .* this one has schema 1: stop them all, delete the key "pipit:meta"/,
    });
  });

  test("tells again who it is when Redis comes back empty", async (t) => {
    const server = await startRedis(t);
    const connections = await openConnections(t, { url: server.url });
    await server.restart();
    await until("Redis is back", () => connections.isUp());
    assert.equal(await server.call("HGET", "pipit:meta", "partitions"), "64");
  });

  test("says again who it is when that is lost and it is asked to, as often as it is asked", async (t) => {
    const server = await startRedis(t);
    const connections = await openConnections(t, { url: server.url });
    await server.call("FLUSHALL");
    for (let times = 0; times < 100; times++) connections.rejoin();
    await until("it is told", async () => await server.call("EXISTS", "pipit:meta"));
    assert.equal(await server.call("HGET", "pipit:meta", "partitions"), "64");
    assert.equal(connections.isUp(), true);
  });

  test("a node whose key prefix others have taken says so once, and is well when it has it again", async (t) => {
    const server = await startRedis(t);
    const { log, lines } = recordingLog();
    const connections = createRedisConnections({ url: server.url }, log);
    t.after(() => connections.close());
    await connections.connect();
    assert.equal(connections.isForeign(), false);
    await server.call("HSET", "pipit:meta", "partitions", 8);
    connections.rejoin();
    await until("it is noticed", () => connections.isForeign());
    assert.equal(connections.isUp(), false);
    assert.match(
      connections.problem() ?? "",
      /has 8 partitions, redis\.partitions is 64: set it to 8/,
    );
    const { calls } = connections.counters.commands;
    await until("it has looked again", () => connections.counters.commands.calls > calls + 1);
    assert.deepEqual(
      lines.filter((line) => line.startsWith("error")),
      ["error redis belongs to another deployment"],
    );
    await server.call("HSET", "pipit:meta", "partitions", 64);
    await until("it has it again", () => connections.isUp() && !connections.isForeign());
  });

  test("a node that comes back to a Redis of others stays away from it, until it is its own again", async (t) => {
    const server = await startRedis(t);
    const connections = await openConnections(t, { url: server.url });
    await server.call("HSET", "pipit:meta", "partitions", 8);
    await server.call("CLIENT", "KILL", "TYPE", "normal");
    await until("it is told", () => connections.problem()?.includes("has 8 partitions"));
    assert.equal(connections.isUp(), false);
    await server.call("HSET", "pipit:meta", "partitions", 64);
    await until("Redis is its own again", () => connections.isUp());
  });

  test("uses the database, user and password that it is given", async (t) => {
    const server = await startRedis(t);
    await server.call("ACL", "SETUSER", "pipit", "on", ">w0rd", "~p:*", "&p:*", "+@all");
    await server.call("ACL", "SETUSER", "default", "resetpass", ">other");
    const url = `redis://127.0.0.1:${server.port}/3`;
    const settings = { url, username: "pipit", password: "w0rd", keyPrefix: "p:" };
    const connections = await openConnections(t, settings);
    await connections.bus.subscribe(connections.keys.wakeTopic(0));
    await connections.commands.call("SET", "p:a", "1");
    const info = String(await connections.commands.call("CLIENT", "LIST"));
    assert.match(info, /name=pipit-commands.* db=3 .*user=pipit/);
  });
});

describe("up and down", () => {
  test("are told once each time, also when Redis only hangs", async (t) => {
    const server = await startRedis(t);
    const told: string[] = [];
    const connections = await openConnections(
      t,
      { url: server.url, commandTimeoutMs: 100 },
      ({ onUp, onDown }) => {
        onUp(() => told.push("up"));
        onDown(() => told.push("down"));
      },
    );
    server.suspend();
    await assert.rejects(connections.commands.call("GET", "a"), /not answered in 100 ms/);
    await assert.rejects(connections.commands.call("GET", "a"), UNAVAILABLE);
    assert.deepEqual(told, ["up", "down"]);
    assert.equal(connections.problem(), "Redis does not answer.");
    server.resume();
    await until("Redis is back", () => connections.isUp());
    assert.equal(connections.problem(), undefined);
    await server.stop();
    await until("Redis is away", () => !connections.isUp());
    await server.restart();
    await until("Redis is back", () => connections.isUp());
    assert.deepEqual(told, ["up", "down", "up", "down", "up"]);
  });

  test("a Redis that hangs for longer than the patience with silence is connected to anew", async (t) => {
    const server = await startRedis(t);
    const settings = { url: server.url, commandTimeoutMs: 50, silenceTimeoutMs: 150 };
    const connections = await openConnections(t, settings);
    const clients = async () =>
      String(await server.call("CLIENT", "LIST")).match(/id=\d+(?=.* name=pipit-commands )/g);
    const before = await clients();
    server.suspend();
    await assert.rejects(connections.commands.call("GET", "a"), UNAVAILABLE);
    await until("the connection is given up", async () => {
      const { connectionFailures } = connections.counters.commands;
      return connectionFailures > 0;
    });
    server.resume();
    await until("Redis is back", () => connections.isUp());
    assert.notDeepEqual(await clients(), before);
  });
});

describe("commands", () => {
  test("nothing is kept for a Redis that is away: a hundred thousand calls leave nothing behind", async (t) => {
    const server = await startRedis(t);
    const connections = await openConnections(t, { url: server.url });
    await server.stop();
    await until("Redis is away", () => !connections.isUp());
    const calls = Array.from({ length: 100_000 }, () =>
      connections.commands.call("INCR", "pipit:n"),
    );
    const settled = await Promise.allSettled(calls);
    assert.ok(settled.every(({ status }) => status === "rejected"));
    await server.restart();
    await until("Redis is back", () => connections.isUp());
    assert.equal(await connections.commands.call("GET", "pipit:n"), null);
  });

  test("a script runs by its hash, and by its text when Redis does not know it", async (t) => {
    const server = await startRedis(t);
    const connections = await openConnections(t, { url: server.url });
    const script = writeScript(t, "return {KEYS[1], ARGV[1], #ARGV}");
    const run = () => connections.commands.runScript(script, ["pipit:k"], ["é"]);
    const reloads = () => connections.commands.counters.scriptReloads;
    const before = reloads();
    assert.deepEqual(await run(), ["pipit:k", "é", 1]);
    assert.deepEqual(await run(), ["pipit:k", "é", 1]);
    assert.equal(reloads(), before + 1);
    await server.call("SCRIPT", "FLUSH");
    assert.deepEqual(await run(), ["pipit:k", "é", 1]);
    assert.equal(reloads(), before + 2);
  });

  test("a script that fails is told as what it is, and with the wrong number of keys it is not sent", async (t) => {
    const server = await startRedis(t);
    const { commands } = await openConnections(t, { url: server.url });
    const script = writeScript(t, 'return redis.call("HGET", KEYS[1], "a")');
    await commands.call("SET", "pipit:k", "no hash");
    await assert.rejects(commands.runScript(script, ["pipit:k"], []), /WRONGTYPE/);
    await assert.rejects(commands.runScript(script, ["a", "b"], []), /takes 1 keys, found 2/);
  });
});

test("memory says what is used, what is allowed and what happens then", async (t) => {
  const server = await startRedis(t, { args: ["--maxmemory", "100mb"] });
  const connections = await openConnections(t, { url: server.url });
  await server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  const [memory, ...others] = await connections.memory();
  assert.deepEqual(others, []);
  assert.ok(memory !== undefined && memory.usedBytes > 100_000);
  assert.deepEqual([memory.maxBytes, memory.policy], [100 * 1_048_576, "allkeys-lru"]);
  await server.stop();
  await assert.rejects(connections.memory(), UNAVAILABLE);
});

function writeScript(t: TestContext, lua: string): Script {
  const folder = mkdtempSync(join(tmpdir(), "pipit-script-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "verb.lua");
  writeFileSync(file, lua);
  const script = loadScript(pathToFileURL(file), 1);
  assert.equal(script.name, "verb");
  return script;
}

function recordingLog() {
  const lines: string[] = [];
  const reasons: unknown[] = [];
  const write =
    (level: string): Log["warn"] =>
    ({ reason }, message) => {
      lines.push(`${level} ${message}`);
      if (reason !== undefined) reasons.push(reason);
    };
  const log: Log = { debug() {}, info: write("info"), warn: write("warn"), error: write("error") };
  return {
    log,
    lines,
    reasons,
  };
}
