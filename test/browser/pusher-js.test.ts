/** pusher-js's web build in a real browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, startBrowser } from "../support/browser.ts";
import { signedTarget } from "../support/http-request.ts";
import { startPipit } from "../support/pipit.ts";

test("a page hears events on public and private channels and publishes over the HTTP API", async (t) => {
  const browser = await startBrowser(t);
  const pipit = await startPipit(t);
  const page = await openPage(t, browser, pipit, { userId: "ann" });
  for (const name of ["room", "private-room"]) {
    await page.call("join", name);
    await page.sees(`${name} pusher:subscription_succeeded`);
    await pipit.pusher.trigger(name, "news", { ü: "€ 😀" });
    assert.equal(await page.sees(`${name} news`), `${name} news {"ü":"€ 😀"}`);
  }
  const body = JSON.stringify({ name: "said", channel: "room", data: "from a page" });
  const url = pipit.url(signedTarget({ path: "/events", body }));
  assert.equal(await page.call("post", url, body), "200 {}");
  assert.equal(await page.sees("room said"), 'room said "from a page"');
});

test("two pages meet on a presence channel and whisper", async (t) => {
  const browser = await startBrowser(t);
  const pipit = await startPipit(t);
  const ann = await openPage(t, browser, pipit, { userId: "ann" });
  await ann.call("join", "presence-room");
  assert.equal(
    await ann.sees("presence-room pusher:subscription_succeeded"),
    'presence-room pusher:subscription_succeeded {"ann":{"name":"ANN"}}',
  );
  const bob = await openPage(t, browser, pipit, { userId: "bob" });
  await bob.call("join", "presence-room");
  assert.equal(
    await bob.sees("presence-room pusher:subscription_succeeded"),
    'presence-room pusher:subscription_succeeded {"ann":{"name":"ANN"},"bob":{"name":"BOB"}}',
  );
  await ann.sees('presence-room pusher:member_added {"id":"bob","info":{"name":"BOB"}}');
  await bob.call("trigger", "presence-room", "client-typing", { n: 1 });
  assert.equal(await ann.sees("presence-room client-"), 'presence-room client-typing {"n":1}');
  await bob.call("pusher.disconnect");
  await ann.sees('presence-room pusher:member_removed {"id":"bob"');
  const whispers = (await bob.seen()).filter((line) => line.includes("client-"));
  assert.deepEqual(whispers, []);
});

test("a page reads what was sealed for an encrypted channel", async (t) => {
  const browser = await startBrowser(t);
  const pipit = await startPipit(t);
  const build = "pusher-with-encryption.min.js";
  const page = await openPage(t, browser, pipit, { userId: "ann", build });
  await page.call("join", "private-encrypted-room");
  await page.sees("private-encrypted-room pusher:subscription_succeeded");
  await pipit.pusher.trigger("private-encrypted-room", "news", { n: 1 });
  assert.equal(
    await page.sees("private-encrypted-room news"),
    'private-encrypted-room news {"n":1}',
  );
});

test("a signed-in page hears what is sent to its user, and once terminated stays away", async (t) => {
  const browser = await startBrowser(t);
  const pipit = await startPipit(t);
  const page = await openPage(t, browser, pipit, { userId: "ann" });
  await page.call("signIn");
  await pipit.pusher.sendToUser("ann", "greeting", { n: 1 });
  await page.sees('user greeting {"n":1}');
  await pipit.pusher.terminateUserConnections("ann");
  await page.sees("state disconnected");
  const states = (await page.seen()).filter((line) => line.startsWith("state"));
  assert.equal(states.at(-1), "state disconnected");
});

test("a page of an origin that is not allowed is refused with 4009 and does not try again", async (t) => {
  const browser = await startBrowser(t);
  const pipit = await startPipit(t, { allowed_origins: ["https://*.example.com"] });
  const page = await openPage(t, browser, pipit);
  await page.sees("error 4009");
  await page.sees("state disconnected");
  const open = await startPipit(t, { allowed_origins: [new URL(page.origin).host] });
  await page.call("connect", open.port, "");
  await page.sees("state connected");
});
