/** The scripts that note, tell of and write off what was given up, as they are sent: twice, late, by an older node. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { loadScript } from "../../src/redis/script.ts";
import { LANE, openRedisPartition } from "./redis-partition.ts";

const FIELD = "buried:overflow:app:one";

async function setUp(t: TestContext) {
  const { server, keys, commands } = await openRedisPartition(t);
  const key = (...rest: readonly string[]) => keys.key(LANE.partition, ...rest);
  const losses = key("losses");
  const run = (name: string, its: readonly string[], args: readonly (string | number)[]) =>
    commands.runScript(
      loadScript(new URL(`../../src/webhooks/lua/${name}.lua`, import.meta.url), its.length),
      its,
      args,
    );
  return {
    server,
    key,
    losses,
    run,
    /** As this release asks. */
    claim: () => run("claim", [key("disp"), key("touched"), losses], ["me", 60_000]),
    writeOff: (round: string, next: string, ...booked: readonly (string | number)[]) =>
      run("write-off", [key("disp"), losses], ["me", round, next, ...booked]),
    hash: async () => {
      const flat = (await server.call("HGETALL", losses)) as string[];
      return Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]]])));
    },
    wait: (name: string, channel: string) =>
      server.call("XADD", key(name, "app:one"), "*", ...EVENT, "c", channel),
  };
}

const EVENT = ["i", "1-0-1-0", "t", "channel_occupied", "j", "{}"];

test("a claim tells of what was given up until it is written off, also with what it kept or took", async (t) => {
  const { server, key, losses, claim } = await setUp(t);
  assert.equal(await claim(), 2);
  assert.equal(await claim(), 1);
  await server.call("HINCRBY", losses, FIELD, 3);
  await server.call("SADD", key("touched"), "app:two");
  const [kept, touched, told] = (await claim()) as [number, string[], string[]];
  assert.deepEqual([kept, touched], [1, ["app:two"]]);
  const round = told[told.indexOf("#round") + 1];
  assert.deepEqual(told, [FIELD, "3", "#round", round]);
  assert.deepEqual(await claim(), [1, [], told], "the second time the same");
  await server.call("DEL", key("disp"));
  assert.deepEqual(await claim(), [2, [], told]);
  await server.call("SET", key("disp"), "other");
  assert.equal(await claim(), 0);
});

test("a round is written off once, and only by the owner", async (t) => {
  const { server, key, losses, claim, writeOff, hash } = await setUp(t);
  await claim();
  await server.call("HSET", losses, FIELD, 5, "#round", "r1");
  assert.equal(await writeOff("r1", "r2", FIELD, 3), 1);
  assert.equal(await writeOff("r1", "r2", FIELD, 3), 0);
  assert.deepEqual(await hash(), { [FIELD]: "2", "#round": "r2" });
  await server.call("DEL", key("disp"));
  assert.equal(await writeOff("r2", "r3", FIELD, 2), -1);
  await claim();
  assert.equal(await writeOff("r2", "r3", FIELD, 2), 1);
  assert.equal(await server.call("EXISTS", losses), 0);
  assert.equal(await writeOff("r2", "r3", FIELD, 2), 0);
});

test("a node of an older release is answered as it was, and notes nothing", async (t) => {
  const { server, key, losses, run, wait } = await setUp(t);
  await server.call("HSET", losses, FIELD, 5);
  const claim = () => run("claim", [key("disp"), key("touched")], ["me", 60_000]);
  assert.equal(await claim(), 2);
  assert.equal(await claim(), 1);
  await server.call("SADD", key("touched"), "app:two");
  assert.deepEqual(await claim(), ["app:two"]);

  const place = String(await wait("q", "a"));
  await wait("q", "b");
  const [lane, dead] = [key("q", "app:one"), key("dead", "app:one")];
  const rest = [key("lanes"), key("try"), dead, key("deads")];
  const how = ["me", "app:one", "refused", "422", 0, 500];
  assert.deepEqual(
    await run(
      "drop",
      [lane, key("lanes"), key("try"), key("touched")],
      ["app:one", "waiting", place, "1-0-1-0"],
    ),
    1,
  );
  assert.deepEqual(await run("bury", [key("disp"), lane, ...rest], [...how, "1-0-1-0"]), [
    1,
    "1-0-1-0",
  ]);
  await server.call("XADD", dead, "*", "r", "budget", "s", "500", "d", "0", ...EVENT);
  const aged = ["me", "app:one", 1, 500];
  assert.equal(await run("expire", [key("disp"), dead, key("deads")], aged), 1);

  const source = key("ev");
  const moved = String(await server.call("XADD", source, "*", "a", "app", ...EVENT, "c", "c"));
  const names = ["lanes", "holds", "deads", "try"].map((name) => key(name));
  const its = [key("disp"), source, ...names, key("hold", "app"), lane, dead];
  const args = ["me", 0, 0, "", 1, 1, "app", "app:one", 0, moved, "1-0-1-0", "1,1"];
  assert.deepEqual(await run("route", its, args), [0, 1, -1, 1, 1]);
  assert.deepEqual(await server.call("HGETALL", losses), [FIELD, "5"]);
});
