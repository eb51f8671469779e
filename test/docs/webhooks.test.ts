import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { codeBlock, readPage } from "./pages.ts";
import { runModule } from "./program.ts";

test("the receiver in docs/webhooks.md handles each event once, whatever comes twice", async (t) => {
  const port = await freePort();
  const code = codeBlock(readPage("docs/webhooks.md"), "js", "idempotent-receiver.mjs");
  const program = runModule(
    t,
    code.replace(
      '.listen(8000, "127.0.0.1")',
      `.listen(${port}, "127.0.0.1", () => console.log("listening"))`,
    ),
  );
  await program.says("listening");

  async function post(events: readonly [id: string, name: string, subject: string][]) {
    const named = events.map(([, name, subject]) =>
      subject.startsWith("#") ? { name, user_id: subject.slice(1) } : { name, channel: subject },
    );
    const body = JSON.stringify({ time_ms: Date.now(), events: named });
    const signature = createHmac("sha256", "pipit-secret").update(body).digest("hex");
    const answer = await fetch(`http://127.0.0.1:${port}/webhooks`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-Pusher-Key": "pipit-key",
        "X-Pusher-Signature": signature,
        "X-Pipit-Event-Ids": events.map(([id]) => id).join(","),
      },
      body,
    });
    assert.equal(answer.status, 200);
  }
  await post([
    ["900-1-1000-0", "channel_occupied", "a"],
    ["900-2-1000-0", "channel_occupied", "b"],
  ]);
  await post([["900-1-1000-1", "channel_vacated", "a"]]);
  await post([
    ["900-1-1000-0", "channel_occupied", "a"],
    ["900-1-1000-1", "channel_vacated", "a"],
  ]);
  await post([["1000-1-999-0", "channel_occupied", "a"]]); // the server was restarted
  await post([
    ["1000-3-5000-0", "user_online", "#a"],
    ["1000-1-3000-0", "user_online", "#b"],
    ["1000-3-5000-0", "user_online", "#a"],
  ]);
  await program.says(/(?:handled.*){6}/s);
  assert.deepEqual(program.output().trim().split("\n").slice(1), [
    "handled channel_occupied a",
    "handled channel_occupied b",
    "handled channel_vacated a",
    "handled channel_occupied a",
    "handled user_online #a",
    "handled user_online #b",
  ]);
});
