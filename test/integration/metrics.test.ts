/** What operators see of a running server: metrics and health, on both ports. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { readExposition } from "../observability/exposition.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { startReceiver } from "../support/webhook-receiver.ts";

test("a scrape tells of connections, traffic, channels, requests and webhooks", async (t) => {
  const receiver = await startReceiver(t, APP);
  const pipit = await startPipit(
    t,
    { webhooks: [{ id: "main", url: receiver.url, event_types: ["channel_occupied"] }] },
    { metrics: { port: 0, prefix: "legacy_" } },
  );
  const ann = await pipit.connect({ userId: "ann" });
  await ann.subscribe("presence-room");
  const gone = await pipit.connect();
  gone.pusher.disconnect();
  await pipit.pusher.trigger("presence-room", "news", { n: 1 });
  await until("the webhook has come", () => receiver.events().length === 1);
  await (await pipit.raw("/app/nobody?protocol=7")).frame("refused", () => true);

  const port = String(pipit.port);
  const value = await until("the close is counted", async () => {
    const read = await scrape(pipit);
    return read("legacy_new_disconnections_total", { app_id: APP.id, port }) === 1 ? read : false;
  });
  const app = { app_id: APP.id, port };
  assert.equal(value("legacy_connected", app), 1);
  assert.equal(value("legacy_new_connections_total", app), 2);
  assert.ok((value("legacy_ws_messages_received_total", app) ?? 0) >= 1);
  assert.ok((value("legacy_socket_transmitted_bytes", app) ?? 0) > 100);
  assert.equal(value("legacy_http_calls_received_total", app), 1);
  assert.equal(value("legacy_connections_refused_total", { code: "4001", port }), 1);
  assert.equal(
    value("legacy_webhook_events_delivered_total", { app_id: APP.id, endpoint: "main", port }),
    1,
  );
});

test("metrics also come as JSON", async (t) => {
  const pipit = await startPipit(t);
  const answer = await fetch(`${metricsUrl(pipit)}/metrics?json=1`);
  const metrics = (await answer.json()) as { name: string }[];
  assert.ok(metrics.some(({ name }) => name === "pipit_connected"));
});

test("every path that probes ask answers on both ports", async (t) => {
  const pipit = await startPipit(t, {}, { shutdown: { grace_s: 1 } });
  const bases = [pipit.url(""), metricsUrl(pipit)];
  const paths = [
    "/",
    "/ready",
    "/accept-traffic",
    "/usage",
    "/live",
    "/up",
    `/up/${APP.id}`,
    "/health/live",
    "/health/ready",
  ];
  for (const base of bases) {
    for (const path of paths) {
      const answer = await fetch(base + path);
      assert.equal(answer.status, 200, base + path);
      await answer.arrayBuffer();
    }
    assert.equal((await fetch(`${base}/up/nobody`)).status, 404);
    assert.equal((await fetch(`${base}/up`)).headers.get("x-health-check"), "OK");
  }
});

function metricsUrl({ server }: Pipit): string {
  const { host, port } = server.address()?.metrics ?? { host: "", port: 0 };
  return `http://${host}:${port}`;
}

/** Reads one series of the text format, written down by a parser of our own tests. */
async function scrape(
  pipit: Pipit,
): Promise<(name: string, labels: Record<string, string>) => number | undefined> {
  const answer = await fetch(`${metricsUrl(pipit)}/metrics`);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const families = readExposition(await answer.text());
  return (name, labels) =>
    families.get(name)?.series.find((series) => isDeepStrictEqual(series.labels, labels))?.value;
}

test("every limit that was hit is counted by its name", async (t) => {
  const pipit = await startPipit(
    t,
    { max_connections: 2 },
    { limits: { max_connections: 3, max_connections_per_address: 4, max_frame_kb: 1 } },
  );
  const first = await pipit.raw();
  await first.socketId();
  await (await pipit.raw()).socketId();
  const third = await pipit.raw();
  await until("the app is full", () => third.closed?.code === 4004);
  first.sendText("x".repeat(2_000));
  await until("the large frame ended its connection", () => first.closed);
  const read = await scrape(pipit);
  const port = String(pipit.port);
  assert.equal(read("pipit_limits_hit_total", { limit: "app_connections", port }), 1);
  assert.equal(read("pipit_limits_hit_total", { limit: "node_connections", port }), 0);
  assert.equal(read("pipit_limits_hit_total", { limit: "connections_per_address", port }), 0);
  assert.equal(read("pipit_limits_hit_total", { limit: "frame_size", port }), 1);
  for (const limit of ["cache_miss_episodes", "webhook_names", "webhook_last_deliveries"]) {
    assert.equal(read("pipit_limits_hit_total", { limit, port }), 0, limit);
  }
  assert.equal(read("pipit_failures_total", { operation: "webhook_name_lookup", port }), 0);
});
