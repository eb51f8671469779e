/** What the README shows works when it is pasted. Only ports are put in, so that tests can run side by side. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import Pusher from "pusher";
import type { ConfigInput } from "../../src/config/config.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { createServer } from "../../src/server.ts";
import { codeBlock, codeBlocks, readPage } from "./pages.ts";
import { runModule } from "./program.ts";

const README = readPage("README.md");

/** The server that `npm start` would start, on a free port. */
async function startSample(t: TestContext): Promise<{ port: number; backend: Pusher }> {
  const sample = JSON.parse(readPage("config.json")) as ConfigInput;
  const server = createServer({
    ...sample,
    port: 0,
    metrics: { port: 0 },
    log: { level: "silent" },
    shutdown: { grace_s: 1 },
  });
  await server.listen();
  t.after(() => server.close());
  const port = server.address()?.port ?? 0;
  const backend = new Pusher({
    appId: "1",
    key: "pipit-key",
    secret: "pipit-secret",
    host: "127.0.0.1",
    port: String(port),
    useTLS: false,
  });
  return { port, backend };
}

describe("the README", () => {
  test("its quick start connects, joins a private channel and receives an event", async (t) => {
    const { port } = await startSample(t);
    const code = codeBlock(README, "js", "quick-start.mjs").replaceAll("6001", String(port));
    const program = runModule(t, code);
    assert.equal(await program.exitCode(), 0, program.output());
    const shown = codeBlock(README, "text", "received:").replace(/\d+\.\d+/, "ID");
    assert.equal(program.output().replace(/\d+\.\d+/, "ID"), shown);
  });

  test("its Laravel Echo hears what a backend publishes", async (t) => {
    const { port, backend } = await startSample(t);
    const code = codeBlock(README, "js", "laravel-echo").replaceAll("6001", String(port));
    const program = runModule(
      t,
      `globalThis.window = globalThis;
       ${code}
       window.Echo.channel("orders")
         .subscribed(() => console.log("subscribed"))
         .listen(".shipped", (order) => {
           console.log("shipped", order.number);
           window.Echo.disconnect();
         });`,
    );
    await program.says("subscribed");
    await backend.trigger("orders", "shipped", { number: 7 });
    assert.equal(await program.exitCode(), 0, program.output());
    assert.match(program.output(), /^shipped 7$/m);
  });

  test("its server in another program listens and closes", async (t) => {
    const program = runModule(t, codeBlock(README, "js", "createServer({\n  port: 0"));
    assert.equal(await program.exitCode(), 0, program.output());
    assert.match(program.output(), /^listening on port \d+$/m);
  });

  test("its configurations can be used", () => {
    const examples = codeBlocks(README).filter(({ language }) => language === "json");
    assert.equal(examples.length, 2);
    for (const { code } of examples) {
      const example = JSON.parse(code);
      const config = "app_manager" in example ? example : { app_manager: { apps: [example] } };
      assert.deepEqual("problems" in readConfig(config), false, code);
    }
  });

  test("npm runs every script that it names", () => {
    const { scripts } = JSON.parse(readPage("package.json"));
    const named = [...README.matchAll(/npm (?:run ([a-z:]+)|start|test)/g)].map(
      ([command, script]) => script ?? command.slice("npm ".length),
    );
    for (const name of named) assert.ok(name in scripts, name);
    assert.ok(named.length > 3);
  });
});
