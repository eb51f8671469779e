/** What receivers are told of what clients do, each delivery checked by the real library. protocol.md §7. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

const ALL = [...WEBHOOK_EVENT_TYPES];

test("every kind of event is delivered once, in order per channel, and accepted by the library", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    enable_subscription_count: true,
    webhooks: [{ url: receiver.url, event_types: ALL, headers: { "X-Custom": "yes" } }],
  });
  const ann = await pipit.connect({ userId: "ann" });
  await ann.subscribe("presence-room");
  const cached = await pipit.connect();
  await cached.subscribe("cache-empty");
  ann.pusher.channel("presence-room").trigger("client-wave", { hand: "left" });
  await until("the client event has come", () =>
    receiver.events().some(({ name }) => name === "client_event"),
  );
  ann.pusher.unsubscribe("presence-room");
  cached.pusher.unsubscribe("cache-empty");
  await until(
    "both channels are vacated",
    () => receiver.events().filter(({ name }) => name === "channel_vacated").length === 2,
  );

  const of = (channel: string) => receiver.events().filter((event) => event.channel === channel);
  assert.deepEqual(of("presence-room"), [
    { name: "channel_occupied", channel: "presence-room" },
    { name: "member_added", channel: "presence-room", user_id: "ann" },
    {
      name: "client_event",
      channel: "presence-room",
      event: "client-wave",
      data: '{"hand":"left"}',
      socket_id: ann.socketId,
      user_id: "ann",
    },
    { name: "member_removed", channel: "presence-room", user_id: "ann" },
    { name: "channel_vacated", channel: "presence-room" },
  ]);
  assert.deepEqual(
    of("cache-empty").toSorted((a, b) => a.name.localeCompare(b.name)),
    [
      { name: "cache_miss", channel: "cache-empty" },
      { name: "channel_occupied", channel: "cache-empty" },
      { name: "channel_vacated", channel: "cache-empty" },
      { name: "subscription_count", channel: "cache-empty", subscription_count: 1 },
      { name: "subscription_count", channel: "cache-empty", subscription_count: 0 },
    ],
  );
  for (const { headers, isValid, body, timeMs } of receiver.deliveries) {
    assert.ok(isValid, body);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["x-pusher-key"], APP.key);
    assert.equal(headers["x-custom"], "yes");
    assert.ok(Math.abs(Date.now() - timeMs) < 60_000);
    assert.match(String(headers["x-pipit-attempt"]), /^1$/);
    assert.ok(String(headers["x-pipit-event-ids"]).length > 0);
  }
});

test("a channel and a member that return within the grace cause no event for either", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    webhooks: [{ url: receiver.url, event_types: ALL }],
  });
  const ann = await pipit.connect({ userId: "ann" });
  await ann.subscribe("presence-room");
  ann.pusher.disconnect();
  const again = await pipit.connect({ userId: "ann" });
  await again.subscribe("presence-room");
  // A leave that came after the one that was taken back: its event marks that the grace is over.
  const marker = await pipit.connect();
  await marker.subscribe("marker");
  marker.pusher.unsubscribe("marker");
  await until("the marker is vacated", () =>
    receiver
      .events()
      .some(({ name, channel }) => name === "channel_vacated" && channel === "marker"),
  );
  assert.deepEqual(
    receiver.events().filter(({ channel }) => channel === "presence-room"),
    [
      { name: "channel_occupied", channel: "presence-room" },
      { name: "member_added", channel: "presence-room", user_id: "ann" },
    ],
  );
});

test("each endpoint gets what its types and filter take, two endpoints of one url are two", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(t, {
    webhooks: [
      { id: "a", url: receiver.url, event_types: ["channel_occupied"], headers: { "X-Who": "a" } },
      {
        id: "b",
        url: receiver.url,
        event_types: ["channel_occupied"],
        headers: { "X-Who": "b" },
        filter: { channel_name_starts_with: "b-" },
      },
      {
        id: "c",
        url: receiver.url,
        event_types: ["channel_occupied"],
        headers: { "X-Who": "c" },
        enabled: false,
      },
    ],
  });
  const client = await pipit.connect();
  await client.subscribe("a-room");
  await client.subscribe("b-room");
  const channelsFor = (who: string) =>
    receiver.deliveries
      .filter(({ headers }) => headers["x-who"] === who)
      .flatMap(({ events }) => events.map(({ channel }) => channel))
      .toSorted();
  await until(
    "a and b have theirs",
    () => channelsFor("a").length === 2 && channelsFor("b").length === 1,
  );
  assert.deepEqual(channelsFor("a"), ["a-room", "b-room"]);
  assert.deepEqual(channelsFor("b"), ["b-room"]);
  assert.deepEqual(channelsFor("c"), []);
});
