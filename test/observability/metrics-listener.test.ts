import assert from "node:assert/strict";
import { connect } from "node:net";
import { describe, type TestContext, test } from "node:test";
import {
  createMetricsListener,
  type HealthRoutes,
  MetricsListenError,
} from "../../src/observability/metrics-listener.ts";
import { createMetricsRegistry } from "../../src/observability/metrics-registry.ts";
import { until } from "../support/until.ts";
import { readExposition } from "./exposition.ts";

const NO_HEALTH: HealthRoutes = () => undefined;

function create(health: HealthRoutes, port = 0, errors: string[] = []) {
  const registry = createMetricsRegistry({ prefix: "pipit_", port: () => 6001 });
  registry.exposeGauge({ name: "connected", help: "C.", labels: ["app_id"] }, () => [
    { labels: { app_id: "1" }, value: 7 },
  ]);
  const log = { error: (_fields: object, message: string) => void errors.push(message) };
  return createMetricsListener({ host: "127.0.0.1", port, health, registry, log });
}

async function open(t: TestContext, health = NO_HEALTH, errors: string[] = []) {
  const listener = create(health, 0, errors);
  t.after(() => listener.close());
  await listener.listen();
  return `http://127.0.0.1:${listener.address()?.port}`;
}

describe("createMetricsListener", () => {
  test("/metrics is text, and JSON when asked for", async (t) => {
    const url = await open(t);
    const text = await fetch(`${url}/metrics`);
    assert.equal(text.status, 200);
    assert.match(text.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.equal(readExposition(await text.text()).get("pipit_connected")?.series[0]?.value, 7);
    const json = await fetch(`${url}/metrics?json=1`);
    assert.equal(json.headers.get("content-type"), "application/json");
    const metrics = (await json.json()) as { name: string; type: string; values: unknown }[];
    assert.deepEqual(metrics.find(({ name }) => name === "pipit_connected")?.values, [
      { labels: { app_id: "1", port: "6001" }, value: 7 },
    ]);
  });

  test("/metrics answers HEAD without a body and other methods with 405", async (t) => {
    const url = await open(t);
    const head = await fetch(`${url}/metrics`, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    const post = await fetch(`${url}/metrics`, { method: "POST" });
    assert.equal(post.status, 405);
    assert.equal(post.headers.get("allow"), "GET, HEAD");
  });

  test("every other path is asked of health, with method and path but no query", async (t) => {
    const asked: string[] = [];
    const url = await open(t, async (method, path) => {
      asked.push(`${method} ${path}`);
      if (path !== "/ready") return undefined;
      return {
        status: 503,
        body: "no",
        contentType: "text/plain",
        headers: { "X-Why": "closing" },
      };
    });
    const ready = await fetch(`${url}/ready?verbose=1`);
    assert.deepEqual([ready.status, await ready.text()], [503, "no"]);
    assert.equal(ready.headers.get("x-why"), "closing");
    const unknown = await fetch(`${url}/nothing`);
    assert.equal(unknown.status, 404);
    assert.equal(((await unknown.json()) as { code: number }).code, 404);
    assert.deepEqual(asked, ["GET /ready", "GET /nothing"]);
  });

  test("a health route that throws is answered with 500 and logged", async (t) => {
    const errors: string[] = [];
    const url = await open(t, () => Promise.reject(new Error("broken")), errors);
    const answer = await fetch(`${url}/ready`);
    assert.equal(answer.status, 500);
    assert.doesNotMatch(await answer.text(), /broken/);
    assert.deepEqual(errors, ["metrics request failed"]);
  });

  test("a port in use is a clear error that names the address and the way out", async (t) => {
    const port = Number(new URL(await open(t)).port);
    const second = create(NO_HEALTH, port);
    t.after(() => second.close());
    await assert.rejects(second.listen(), (error: unknown) => {
      assert.ok(error instanceof MetricsListenError);
      assert.equal(error.code, "PIPIT_METRICS_PORT_IN_USE");
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port} is in use.*metrics\\.port`));
      return true;
    });
    assert.equal(second.address(), undefined);
  });

  test("an address that is not ours is another error", async (t) => {
    const registry = createMetricsRegistry({ prefix: "", port: () => 1 });
    const log = { error() {} };
    const away = createMetricsListener({
      host: "192.0.2.1",
      port: 0,
      health: NO_HEALTH,
      registry,
      log,
    });
    t.after(() => away.close());
    await assert.rejects(away.listen(), { code: "PIPIT_METRICS_LISTEN_FAILED" });
  });

  test("close ends connections with a request under way and may come twice, or before listen", async (t) => {
    let asked = false;
    const listener = create(() => {
      asked = true;
      return new Promise(() => {});
    });
    await listener.close();
    await listener.listen();
    const socket = connect(listener.address()?.port ?? 0, "127.0.0.1");
    t.after(() => socket.destroy());
    socket.on("error", () => {});
    socket.write("GET /ready HTTP/1.1\r\nHost: x\r\n\r\n");
    await until("the request has come", () => asked);
    await Promise.all([listener.close(), listener.close()]);
    await until("the socket is closed", () => socket.closed);
    assert.equal(listener.address(), undefined);
  });
});
