/** Events sealed from end to end: the server carries what it cannot read. protocol.md §2.9. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { sendSigned } from "../support/http-request.ts";
import { startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

for (const name of ["private-encrypted-room", "private-encrypted-cache-room"]) {
  test(`pusher-js reads on ${name} what the server library sealed, and nothing on the way can`, async (t) => {
    const pipit = await startPipit(t);
    const [client, wire] = [await pipit.connect(), await pipit.raw()];
    const channel = await client.subscribe(name);
    await subscribe(wire, name);
    const heard: unknown[] = [];
    channel.bind("news", (data: unknown) => heard.push(data));
    await pipit.pusher.trigger(name, "news", { secret: "attack at dawn" });
    await until("it is read", () => heard.length > 0);
    assert.deepEqual(heard, [{ secret: "attack at dawn" }]);
    const sealed = await wire.frame("it passes", ({ event }) => event === "news");
    const { nonce, ciphertext, ...others } = JSON.parse(sealed.data as string);
    assert.deepEqual(others, {});
    assert.equal(Buffer.from(nonce, "base64").length, 24);
    assert.ok(!JSON.stringify(sealed).includes("dawn") && ciphertext.length > 20);
  });
}

test("a late joiner reads the cached event of an encrypted channel", async (t) => {
  const pipit = await startPipit(t);
  await pipit.pusher.trigger("private-encrypted-cache-room", "news", { kept: true });
  const client = await pipit.connect();
  const heard: unknown[] = [];
  client.pusher
    .subscribe("private-encrypted-cache-room")
    .bind("news", (data: unknown) => heard.push(data));
  await until("it is read", () => heard.length > 0);
  assert.deepEqual(heard, [{ kept: true }]);
});

test("an event for an encrypted channel and any other is refused, since it is sealed for one", async (t) => {
  const pipit = await startPipit(t);
  for (const others of [["room"], ["private-encrypted-b"]]) {
    const body = { name: "x", channels: ["private-encrypted-a", ...others], data: "" };
    const { status, json } = await sendSigned(pipit.port, { path: "/events", body });
    assert.equal(status, 400);
    assert.match((json as { error: string }).error, /encrypted/);
  }
});
