/** What a page does when its server goes and comes back. A file of its own, since the client takes its time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, startBrowser } from "../support/browser.ts";
import { freePort } from "../support/free-port.ts";
import { startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

test("a page comes back by itself to a server that was restarted, with all its channels", async (t) => {
  const browser = await startBrowser(t);
  // Given by its number: a port that the system chose is not bound for reuse, so its old connections block it.
  const port = await freePort();
  const first = await startPipit(t, {}, { port });
  const page = await openPage(t, browser, first, { userId: "ann" });
  for (const name of ["room", "presence-room"]) {
    await page.call("join", name);
    await page.sees(`${name} pusher:subscription_succeeded`);
  }
  const socketId = await page.call("(() => pusher.connection.socket_id)");
  await first.server.close();
  const second = await startPipit(t, {}, { port });
  await until(
    "it is back in both channels",
    async () => {
      const answer = await second.pusher.get({ path: "/channels" });
      return Object.keys(((await answer.json()) as { channels: object }).channels).length === 2;
    },
    30_000,
  );
  assert.notEqual(await page.call("(() => pusher.connection.socket_id)"), socketId);
  await second.pusher.trigger("room", "news", "after the restart");
  await page.sees('room news "after the restart"');
});
