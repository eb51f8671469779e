/** The whole command, as a process of its own. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../support/until.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Run {
  readonly child: ChildProcess;
  readonly exit: Promise<unknown[]>;
  out: string;
  err: string;
}

function run(t: TestContext, ...args: string[]): Run {
  const child = spawn(process.execPath, ["--import", "tsx", "src/main.ts", ...args], { cwd: ROOT });
  const result: Run = { child, exit: once(child, "close"), out: "", err: "" };
  child.stdout.on("data", (text) => {
    result.out += text;
  });
  child.stderr.on("data", (text) => {
    result.err += text;
  });
  t.after(() => child.kill("SIGKILL"));
  return result;
}

test("start listens with the config.json of the repository, and SIGTERM ends it with 0", async (t) => {
  const pipit = run(t, "start", "--port", "0", "--metrics-port", "0");
  const url = await until("the start text came", () => /curl (http:\S+)/.exec(pipit.out)?.[1]);
  assert.equal((await fetch(url)).status, 200);
  pipit.child.kill("SIGTERM");
  assert.deepEqual(await pipit.exit, [0, null]);
  assert.doesNotMatch(pipit.out + pipit.err, /pipit-secret/);
});

test("start on a port that is taken ends with 1, one line and no stack", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const address = other.address();
  assert.ok(typeof address === "object" && address !== null);
  const pipit = run(t, "start", "--port", String(address.port), "--metrics-port", "0");
  assert.deepEqual(await pipit.exit, [1, null]);
  assert.match(pipit.err, new RegExp(`^pipit: [^\n]*${address.port}[^\n]*\n$`));
});

test("check of the config.json of the repository finds nothing wrong", async (t) => {
  const pipit = run(t, "check");
  assert.deepEqual(await pipit.exit, [0, null]);
  assert.match(pipit.out, /can be used/);
  assert.equal(pipit.err, "");
});
