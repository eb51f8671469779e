/** Webhooks over real HTTP to real receivers, verified by the pusher library. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint } from "../webhooks/fixtures.ts";
import { openPipeline } from "../webhooks/pipeline.ts";
import { openReceiver } from "../webhooks/receiver.ts";

describe("a webhook over HTTP", () => {
  test("arrives with a body, headers and signature that the pusher library accepts", async (t) => {
    const receiver = await openReceiver(t);
    const apps = appRegistry(
      app("app", {
        webhooks: [endpoint("one", { url: receiver.url, headers: { "X-Mine": "yes" } })],
      }),
    );
    const { occupy } = await openPipeline(t, { apps });
    occupy("room");
    const delivery = await until("it arrives", () => receiver.accepted[0]);
    assert.equal(delivery.isValid, true);
    assert.deepEqual(delivery.events, [{ name: "channel_occupied", channel: "room" }]);
    assert.equal(
      delivery.body,
      `{"time_ms":${delivery.timeMs},"events":[{"name":"channel_occupied","channel":"room"}]}`,
    );
    assert.equal(delivery.path, "/hook?a=1");
    assert.equal(delivery.headers["content-type"], "application/json");
    assert.equal(delivery.headers["user-agent"], "Pipit/1.2.3");
    assert.equal(delivery.headers["x-mine"], "yes");
    assert.equal(delivery.headers["x-pipit-attempt"], "1");
    assert.match(String(delivery.headers["x-pipit-delivery"]), /^[0-9a-f]{32}$/);
    assert.match(String(delivery.headers["x-pipit-event-ids"]), /^\d+-\d+-\d+-\d+$/);
  });
});
