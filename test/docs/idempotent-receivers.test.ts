/** The receivers of docs/webhooks.md handle each event of real deliveries once, however often it comes. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { freePort } from "../support/free-port.ts";
import { startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { codeBlock, readPage } from "./pages.ts";
import type { Program } from "./program.ts";
import { type Language, receiverSnippet } from "./receiver-snippet.ts";

const EXAMPLES = {
  js: "idempotent-receiver.mjs",
  php: "idempotent-receiver.php",
  python: "idempotent-receiver.py",
} as const;

/** Those that keep their state in a file. */
const OUTLIVING: readonly Language[] = ["php", "python"];

interface Passed {
  readonly headers: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * Stands between Pipit and a receiver: passes every POST on, and then loses the answer to each delivery's first
 * attempt, so that all of them are repeated although they were handled.
 */
async function openForgetfulProxy(t: TestContext, receiver: string) {
  const passed: Passed[] = [];
  const passOn = async ({ headers, body }: Passed) =>
    (await fetch(receiver, { method: "POST", headers, body })).status;
  const server = createServer(async (request, response) => {
    const names = Object.keys(request.headers).filter((name) => /^(content-type|x-)/.test(name));
    const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name])]));
    const post = { headers, body: new Uint8Array(await buffer(request)) };
    // At the end of a test the receiver may be gone before the last repeat.
    const status = await passOn(post).catch(() => 502);
    passed.push(post);
    const isFirst = headers["x-pipit-attempt"] === "1";
    response.writeHead(isFirst ? 503 : status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, passed, passOn };
}

function handled(program: Program): readonly string[] {
  return (program.output().match(/handled \w+ \S+/g) ?? []).toSorted();
}

describe("an idempotent receiver of docs/webhooks.md", () => {
  for (const [language, file] of Object.entries(EXAMPLES) as [Language, string][]) {
    test(`in ${language} handles each event once although every delivery comes twice`, async (t) => {
      const port = await freePort();
      const code = codeBlock(readPage("docs/webhooks.md"), language, file);
      const snippet = receiverSnippet(t, language, code, port);
      let program = await snippet.start();
      const proxy = await openForgetfulProxy(t, snippet.url);
      const webhooks = { batching: { max_events: 2 }, retry: { initial_ms: 10, max_ms: 10 } };
      const endpoint = { url: proxy.url, event_types: [...WEBHOOK_EVENT_TYPES] };
      const pipit = await startPipit(t, { webhooks: [endpoint] }, { webhooks });
      const client = await pipit.connect({ userId: "ann" });
      const channels = ["a", "b", "c", "d", "10"];
      for (const channel of channels) await client.subscribe(channel);
      client.pusher.signin();
      const once = [
        ...channels.map((channel) => `handled channel_occupied ${channel}`),
        "handled user_online #ann",
      ].toSorted();
      await until("everything was sent twice", () => {
        const repeats = proxy.passed.filter(({ headers }) => headers["x-pipit-attempt"] !== "1");
        const ids = repeats.flatMap(
          ({ headers }) => headers["x-pipit-event-ids"]?.split(",") ?? [],
        );
        return new Set(ids).size >= once.length;
      });
      await until("everything is handled", () => handled(program).length >= once.length);
      assert.deepEqual(handled(program), once);

      if (!OUTLIVING.includes(language)) return;
      await program.kill();
      program = await snippet.start();
      for (const post of [...proxy.passed]) assert.equal(await proxy.passOn(post), 200);
      await client.subscribe("last");
      await program.says("handled channel_occupied last");
      assert.deepEqual(handled(program), ["handled channel_occupied last"]);
    });
  }
});
