/** The receiver of docs/webhooks.md that takes snapshots, in front of a server that has lost its state. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { freePort } from "../support/free-port.ts";
import { APP } from "../support/pipit.ts";
import { runModule } from "./program.ts";
import { believedAt, ONLINE, receiverCode } from "./reconciling-receiver.ts";

test("the reconciling receiver begins anew when an id shows that the server has lost its state, however long that takes", async (t) => {
  const server = { epoch: 900, channels: { old: {} } as object, refusals: 0 };
  const pages = createServer((_request, response) => {
    server.refusals -= 1;
    if (server.refusals >= 0) return response.writeHead(503).end("{}");
    const { epoch, channels } = server;
    const page = { partition: 0, revision: `${epoch}-0-1000-5`, channels, users: [], next: null };
    return response.end(JSON.stringify(page));
  });
  await new Promise<void>((resolve) => pages.listen(0, "127.0.0.1", resolve));
  t.after(() => void pages.close());
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const program = runModule(t, receiverCode(port, (pages.address() as AddressInfo).port));
  await program.says("reconciled");
  assert.deepEqual(await believedAt(url), { old: [], [ONLINE]: [] });

  const occupied = (channel: string) => ({ name: "channel_occupied", channel });
  await post(url, "900-0-1000-6", occupied("newer"));
  await post(url, "900-0-1000-5", { name: "channel_vacated", channel: "old" });
  await post(url, "800-0-2000-0", { name: "channel_vacated", channel: "old" });
  assert.deepEqual(await believedAt(url), { newer: [], old: [], [ONLINE]: [] });

  Object.assign(server, {
    epoch: 1_000,
    channels: { "presence-x": { users: ["1"] } },
    refusals: 2,
  });
  await post(url, "1000-0-1000-6", { name: "member_added", channel: "presence-x", user_id: "2" });
  await program.says(/no page yet: 503.*reconciled/s);
  assert.deepEqual(await believedAt(url), { "presence-x": ["1", "2"], [ONLINE]: [] });
});

/** A signed webhook with one event. */
async function post(url: string, id: string, event: object): Promise<void> {
  const body = JSON.stringify({ time_ms: Date.now(), events: [event] });
  const signature = createHmac("sha256", APP.secret).update(body).digest("hex");
  const headers = {
    "Content-Type": "application/json",
    "X-Pusher-Key": APP.key,
    "X-Pusher-Signature": signature,
    "X-Pipit-Event-Ids": id,
  };
  assert.equal((await fetch(url, { method: "POST", headers, body })).status, 200);
}
