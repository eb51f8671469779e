/** The webhook receivers of the README take what Pipit sends, and nothing that it did not send. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, test } from "node:test";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { freePort } from "../support/free-port.ts";
import { startPipit } from "../support/pipit.ts";
import { codeBlock, readPage } from "./pages.ts";
import { type Language, receiverSnippet } from "./receiver-snippet.ts";

const README = readPage("README.md");

/** What each snippet names itself. */
const EXAMPLES = { js: "receiver.mjs", php: "receiver.php", python: "receiver.py" } as const;

describe("a webhook receiver of the README", () => {
  for (const [language, file] of Object.entries(EXAMPLES) as [Language, string][]) {
    test(`in ${language} takes Pipit's webhooks and refuses forged ones`, async (t) => {
      const port = await freePort();
      const snippet = receiverSnippet(t, language, codeBlock(README, language, file), port);
      const { url } = snippet;
      const program = await snippet.start();

      const webhooks = [{ url, event_types: [...WEBHOOK_EVENT_TYPES] }];
      const pipit = await startPipit(t, { webhooks });
      const client = await pipit.connect({ userId: "ann" });
      await client.subscribe("room");
      await program.says("channel_occupied room");
      client.pusher.signin();
      await program.says("user_online #ann");

      const body = '{"time_ms":1,"events":[{"name":"channel_vacated","channel":"forged"}]}';
      const sign = (text: string) => createHmac("sha256", "test-secret").update(text).digest("hex");

      for (const [key, signature] of [
        ["test-key", sign(`${body} `)],
        ["other-key", sign(body)],
        ["test-key", "0".repeat(64)],
        ["test-key", "é"],
        ["test-key", ""],
      ]) {
        const answer = await fetch(url, {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            "X-Pusher-Key": String(key),
            "X-Pusher-Signature": String(signature),
          },
          body,
        });
        assert.equal(answer.status, 401, `${key} ${signature}`);
      }
      assert.doesNotMatch(program.output(), /forged/);
    });
  }
});
