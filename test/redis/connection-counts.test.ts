import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import type { Commands } from "../../src/redis/commands.ts";
import {
  type ConnectionCountsParts,
  createConnectionCounts,
  type LimitedApp,
  reportConnections,
} from "../../src/redis/connection-counts.ts";
import type { RedisSettings } from "../../src/redis/settings.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { openConnections } from "./open-connections.ts";

const LONG_MS = 60_000;

function limited(connections: Readonly<Record<string, number>>, maxConnections = 100) {
  return Object.entries(connections).map(
    ([appId, count]): LimitedApp => ({ appId, connections: count, maxConnections }),
  );
}

async function openRedis(t: TestContext, settings: RedisSettings = {}) {
  const server = await startRedis(t);
  const connections = await openConnections(t, { url: server.url, ...settings });
  const { commands, keys } = connections;
  return {
    server,
    connections,
    commands,
    keys,
    /** What a report is answered, in the order of the apps. */
    async report(node: string, counts: Readonly<Record<string, number>>, leaseMs = LONG_MS) {
      const { totals } = await reportConnections(commands, keys, node, leaseMs, limited(counts));
      return Object.fromEntries([...totals].sort());
    },
    /** Every key but that of the deployment. */
    async left(): Promise<readonly unknown[]> {
      return (await server.call("KEYS", `${keys.prefix}v1:*`)) as unknown[];
    },
  };
}

describe("report-connections.lua", () => {
  test("answers what all nodes have, and counts a report that is sent twice once", async (t) => {
    const { report } = await openRedis(t);
    assert.deepEqual(await report("a", { "1": 2, "2": 1 }), { "1": 2, "2": 1 });
    for (let times = 0; times < 2; times++) {
      assert.deepEqual(await report("b", { "1": 3, "3": 4 }), { "1": 5, "2": 1, "3": 4 });
    }
    assert.deepEqual(await report("a", { "1": 1, "3": 1 }), { "1": 4, "3": 5 });
    assert.deepEqual(await report("b", {}), { "1": 1, "3": 1 });
  });

  test("takes any id that an app may have", async (t) => {
    const { report } = await openRedis(t);
    const counts = Object.fromEntries([["__proto__", 2] as const, ["a.b-c", 1] as const]);
    await report("a", counts);
    assert.deepEqual(Object.entries(await report("b", counts)), [
      ["__proto__", 4],
      ["a.b-c", 2],
    ]);
  });

  test("drops a node whose lease has ended, once, and takes it back when it reports again", async (t) => {
    const { report } = await openRedis(t);
    await report("dead", { "1": 5 }, 100);
    assert.deepEqual(await report("a", { "1": 1 }), { "1": 6 });
    await until("it is dropped", async () => (await report("a", { "1": 1 }))["1"] === 1);
    assert.deepEqual(await report("a", { "1": 1 }), { "1": 1 });
    assert.deepEqual(await report("dead", { "1": 5 }), { "1": 6 });
  });

  test("takes a node out at once, also when that is sent twice, and leaves no key behind the last", async (t) => {
    const { report, left } = await openRedis(t);
    await report("a", { "1": 2 });
    await report("b", { "1": 3 });
    for (let times = 0; times < 2; times++) assert.deepEqual(await report("a", {}, 0), { "1": 3 });
    assert.deepEqual(await report("b", { "1": 3 }), { "1": 3 });
    await report("b", {}, 0);
    assert.deepEqual(await left(), []);
  });

  test("no key stays when all nodes have died", async (t) => {
    const { report, left } = await openRedis(t);
    await report("a", { "1": 2 }, 200);
    assert.equal((await left()).length, 3);
    await until("they are gone", async () => (await left()).length === 0);
  });

  test("when Redis has lost a part, the numbers are right again once all have reported", async (t) => {
    const { server, keys, report } = await openRedis(t);
    for (const part of ["conn-leases", "conn-counts", "conn-totals"]) {
      await report("a", { "1": 2 });
      await report("b", { "1": 3 });
      await server.call("DEL", keys.key(0, part));
      await report("a", { "1": 2 });
      assert.deepEqual(await report("b", { "1": 3 }), { "1": 5 }, part);
    }
  });
});

describe("connection counts", () => {
  async function openNodes(t: TestContext, settings?: RedisSettings) {
    const redis = await openRedis(t, settings);
    let nowMs = 0;
    function create(nodeId: string, parts: Partial<ConnectionCountsParts> = {}) {
      const counts = createConnectionCounts({
        commands: redis.commands,
        keys: redis.keys,
        nodeId,
        limited: () => limited({ "1": 0 }),
        now: () => nowMs,
        log: SILENT_LOG,
        ...parts,
      });
      t.after(() => counts.close());
      return counts;
    }
    return {
      ...redis,
      advance(ms: number) {
        nowMs += ms;
      },
      create,
      async node(...args: Parameters<typeof create>) {
        const counts = create(...args);
        await counts.start();
        return counts;
      },
    };
  }

  test("a node knows the others' from its start on, and never counts its own", async (t) => {
    const { node } = await openNodes(t);
    await node("a", { limited: () => limited({ "1": 2, "2": 1 }) });
    await node("b", { limited: () => limited({ "1": 3 }) });
    const c = await node("c", { limited: () => limited({ "1": 4, "2": 0, "3": 9 }) });
    assert.deepEqual(["1", "2", "3", "4"].map(c.elsewhere), [5, 1, 0, 0]);
  });

  test("what changes is told with the next report, and a closed node's share at once", async (t) => {
    const { node } = await openNodes(t);
    let connections = 1;
    const a = await node("a", { limited: () => limited({ "1": connections }), everyMs: 20 });
    const b = await node("b", { everyMs: 20 });
    assert.equal(b.elsewhere("1"), 1);
    connections = 7;
    await until("it is told", () => b.elsewhere("1") === 7);
    await Promise.all([a.close(), a.close()]);
    await until("it is given back", () => b.elsewhere("1") === 0);
  });

  test("without a limit nothing is written, and who loses its last limit takes its numbers out", async (t) => {
    const { node, commands, left } = await openNodes(t);
    const sent: unknown[] = [];
    let counts = {};
    const a = await node("a", {
      commands: recording(commands, sent),
      limited: () => limited(counts),
      everyMs: 20,
    });
    assert.deepEqual([a.counters.reports, await left()], [0, []]);
    counts = { "1": 3 };
    const b = await node("b", { everyMs: 20 });
    await until("it is told", () => b.elsewhere("1") === 3);
    counts = {};
    await until("it is given back", () => b.elsewhere("1") === 0);
    assert.equal(sent.at(-1), 0);
  });

  test("while Redis is away the last number stands for three reports, then none does", async (t) => {
    const { server, node, advance } = await openNodes(t);
    await node("a", { limited: () => limited({ "1": 5 }), everyMs: 20 });
    const lines: string[] = [];
    const note = (_fields: object, message: string) => void lines.push(message);
    const log = { debug: note, info: note, warn: note, error: note };
    const b = await node("b", { everyMs: 20, log });
    await server.stop();
    await until("reports fail", () => b.counters.failures > 2);
    advance(59);
    assert.equal(b.elsewhere("1"), 5);
    advance(1);
    assert.equal(b.elsewhere("1"), 0);
    await server.restart();
    await until("it is known again", () => b.elsewhere("1") === 5);
    assert.deepEqual(lines, [
      "connections could not be reported",
      "connections are reported again",
    ]);
  });

  test("a client of an app that is nearly full hastens the next report, another does not", async (t) => {
    const { node } = await openNodes(t);
    const apps = [...limited({ "1": 9 }, 10), ...limited({ "2": 8 }, 10)];
    const a = await node("a", { limited: () => apps, everyMs: LONG_MS });
    a.elsewhere("1");
    a.elsewhere("1");
    await until("it has reported again", () => a.counters.reports === 2);
    a.elsewhere("2");
    a.elsewhere("3");
    // A report that these had asked for would come before that of a node started later by as much.
    const b = await node("b", { limited: () => apps.slice(0, 1), everyMs: LONG_MS });
    b.elsewhere("1");
    await until("the other has reported again", () => b.counters.reports === 2);
    assert.equal(a.counters.reports, 2);
  });

  test("what the others have is sure once each has reported again, not when one has not", async (t) => {
    const { node, report } = await openNodes(t);
    const timing = { everyMs: 200, now: Date.now };
    const a = await node("a", timing);
    const b = await node("b", { ...timing, limited: () => limited({ "1": 3 }) });
    const reports = b.counters.reports;
    const answers = await Promise.all([a.confirm(), a.confirm()]);
    assert.deepEqual(answers, [true, true]);
    assert.ok(b.counters.reports > reports, "the other has reported since");
    // As one that is killed: it says nothing more, and its lease goes on for a while.
    await report("killed", { "1": 4 }, 3 * timing.everyMs);
    assert.equal(await a.confirm(), false);
    await until("its lease is over", () => a.confirm());
    assert.equal(a.elsewhere("1"), 3);
  });

  test("nothing is sure while Redis is away, nor of a node that stops", async (t) => {
    const { server, node } = await openNodes(t);
    const counts = await node("a", { everyMs: 50, now: Date.now });
    await server.stop();
    assert.equal(await counts.confirm(), false);
    const asked = counts.confirm();
    await counts.close();
    assert.deepEqual([await asked, await counts.confirm()], [false, false]);
  });

  test("a stop during a report lets no report follow the farewell", async (t) => {
    const { create, commands, left } = await openNodes(t);
    const sent: unknown[] = [];
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const late = recording(commands, sent, (leaseMs) => (leaseMs === 0 ? undefined : held));
    const counts = create("a", { commands: late, limited: () => limited({ "1": 1 }) });
    const starting = counts.start();
    const closing = counts.close();
    // A farewell that does not wait would be sent by then.
    await commands.call("GET", "anything");
    release();
    await Promise.all([starting, closing]);
    assert.deepEqual(sent, [3_000, 0]);
    assert.deepEqual(await left(), []);
  });

  test("a farewell that Redis does not answer ends with the connections", async (t) => {
    const { server, connections, node } = await openNodes(t, { commandTimeoutMs: LONG_MS });
    const counts = await node("a", { limited: () => limited({ "1": 1 }) });
    server.suspend();
    const closing = counts.close();
    await connections.close();
    await closing;
  });
});

/** Notes the lease of each report as it is sent, which may have to wait. */
function recording(
  commands: Commands,
  sent: unknown[],
  wait: (leaseMs: unknown) => Promise<void> | undefined = () => undefined,
): Commands {
  return {
    ...commands,
    async runScript(script, its, args) {
      await wait(args[1]);
      sent.push(args[1]);
      return commands.runScript(script, its, args);
    },
  };
}
