/** user_online and user_offline as receivers get them, of users who sign in with pusher-js. protocol.md §7.2. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { USER_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { signIn as signInWith } from "../support/commands.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const USER_EVENTS = [...USER_EVENT_TYPES];

async function signIn(pipit: Pipit, userId: string) {
  const client = await pipit.connect({ userId });
  client.pusher.signin();
  await client.pusher.user.signinDonePromise;
  return client;
}

/** In order of arrival, `user_online ann`. */
function told(receiver: WebhookReceiver): readonly string[] {
  return receiver.events().map(({ name, user_id }) => `${name} ${user_id}`);
}

async function untilTold(receiver: WebhookReceiver, event: string): Promise<void> {
  await until(`${event} has come`, () => told(receiver).includes(event));
}

test("a user with two tabs is online once, and offline once the last has been gone for the grace", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    webhooks: [{ url: receiver.url, event_types: USER_EVENTS }],
  });
  const tabs = [await signIn(pipit, "ann"), await signIn(pipit, "ann")];
  await untilTold(receiver, "user_online ann");
  tabs[0]?.pusher.disconnect();
  const bob = await signIn(pipit, "bob");
  bob.pusher.disconnect();
  // He has left later than her first tab: had that been told, it would have come before.
  await untilTold(receiver, "user_offline bob");
  assert.deepEqual(
    told(receiver).filter((event) => event.endsWith("ann")),
    ["user_online ann"],
  );
  tabs[1]?.pusher.disconnect();
  await untilTold(receiver, "user_offline ann");
  const events = receiver.events().filter(({ user_id }) => user_id === "ann");
  assert.deepEqual(events, [
    { name: "user_online", user_id: "ann" },
    { name: "user_offline", user_id: "ann" },
  ]);
  for (const { isValid, headers, events: some } of receiver.deliveries) {
    assert.ok(isValid);
    assert.equal(String(headers["x-pipit-event-ids"]).split(",").length, some.length);
  }
});

test("a user who signs in again within the grace was never away", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    webhooks: [{ url: receiver.url, event_types: USER_EVENTS }],
  });
  (await signIn(pipit, "ann")).pusher.disconnect();
  const again = await signIn(pipit, "ann");
  (await signIn(pipit, "bob")).pusher.disconnect();
  await untilTold(receiver, "user_offline bob");
  assert.deepEqual(
    told(receiver).filter((event) => event.endsWith("ann")),
    ["user_online ann"],
  );
  again.pusher.disconnect();
});

test("only endpoints that list the events get them, whatever their filter says", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    webhooks: [
      { id: "default", url: receiver.url, headers: { "X-Who": "default" } },
      {
        id: "online",
        url: receiver.url,
        event_types: ["user_online", "channel_occupied"],
        headers: { "X-Who": "online" },
        filter: { channel_name_starts_with: "presence-" },
      },
    ],
  });
  const ann = await signIn(pipit, "ann");
  await ann.subscribe("room");
  const namesFor = (who: string) =>
    receiver.deliveries
      .filter(({ headers }) => headers["x-who"] === who)
      .flatMap(({ events }) => events.map(({ name }) => name));
  await until("both have theirs", () =>
    ["default", "online"].every((who) => namesFor(who).length > 0),
  );
  ann.pusher.disconnect();
  await until("the channel is vacated", () => namesFor("default").includes("channel_vacated"));
  assert.deepEqual(namesFor("default"), ["channel_occupied", "channel_vacated"]);
  assert.deepEqual(namesFor("online"), ["user_online"]);
});

test("a stop tells that everybody is offline, without waiting for the grace", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    webhooks: [{ url: receiver.url, event_types: USER_EVENTS }],
  });
  // Not pusher-js: told to disconnect while it connects again, it goes on trying for ever now and then.
  await signInWith(await pipit.raw(), JSON.stringify({ id: "ann" }));
  await pipit.server.close();
  assert.deepEqual(told(receiver), ["user_online ann", "user_offline ann"]);
});
