import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createHealthRoutes } from "../../src/http/health-routes.ts";
import { createTestApi, testSettings } from "./test-api.ts";

const READY = { ready: true, reasons: [] };
const DEGRADED = { ready: true, reasons: ["Redis is away."] };
const STARTING = { ready: false, reasons: ["Not registered yet."] };
const DRAINING = { ready: false, reasons: ["The server is stopping."], isDraining: true };

describe("health", () => {
  test("nothing of it needs a signature, and HEAD works like GET", async () => {
    const api = createTestApi();
    for (const path of [
      "/",
      "/ready",
      "/accept-traffic",
      "/usage",
      "/live",
      "/up",
      "/up/3",
      "/health/live",
      "/health/ready",
    ]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await api.request({ method, path, query: "" });
        assert.equal(answer.status, 200, `${method} ${path}`);
        assert.equal(answer.route, path === "/up/3" ? "/up/{appId}" : path);
      }
      assert.equal((await api.request({ method: "POST", path, query: "" })).status, 405);
    }
  });

  test("the bodies are those that probes of other servers expect", async () => {
    const api = createTestApi();
    const get = async (path: string) => (await api.request({ path, query: "" })).body;
    assert.equal(await get("/"), "OK");
    assert.equal(await get("/ready"), "OK");
    assert.equal(await get("/live"), "");
    assert.equal(await get("/up"), "OK");
    assert.equal(
      await get("/accept-traffic"),
      '{"memory":{"usedSize":25,"totalSize":100,"percentUsage":25}}',
    );
    assert.equal(await get("/usage"), '{"memory":{"free":75,"used":25,"total":100,"percent":25}}');
  });

  test("readiness gives its reasons; one that is not ready is 503, degraded is ready", async () => {
    const api = createTestApi();
    const ready = async () => {
      const { status, json } = await api.request({ path: "/health/ready", query: "" });
      return { status, json };
    };
    assert.deepEqual(await ready(), { status: 200, json: { ready: true, reasons: [] } });
    api.readiness = DEGRADED;
    assert.deepEqual(await ready(), {
      status: 200,
      json: { ready: true, reasons: ["Redis is away."] },
    });
    api.readiness = DRAINING;
    assert.deepEqual(await ready(), {
      status: 503,
      json: { ready: false, reasons: ["The server is stopping."] },
    });
    assert.equal((await api.request({ path: "/health/live", query: "" })).status, 200);
  });

  test("/ready and /accept-traffic are 500 with JSON while the server is not ready", async () => {
    const api = createTestApi();
    api.readiness = DRAINING;
    for (const path of ["/ready", "/accept-traffic"]) {
      const { status, json } = await api.request({ path, query: "" });
      assert.deepEqual([status, json], [500, { error: "The server is stopping.", code: 500 }]);
    }
  });

  test("/up says in a word and a header how things are", async () => {
    const api = createTestApi();
    const up = async (path: string) => {
      const { status, body, headers } = await api.request({ path, query: "" });
      assert.equal(headers?.["X-Health-Check"], body);
      return `${status} ${body}`;
    };
    for (const path of ["/up", "/up/3"]) {
      api.readiness = READY;
      assert.equal(await up(path), "200 OK");
      api.readiness = DEGRADED;
      assert.equal(await up(path), "200 DEGRADED");
      api.readiness = STARTING;
      assert.equal(await up(path), "503 ERROR");
      api.readiness = DRAINING;
      assert.equal(await up(path), "503 DRAINING");
    }
    assert.equal(await up("/up/4"), "404 NOT_FOUND");
    api.app.settings = testSettings({ enabled: false });
    api.readiness = READY;
    assert.equal(await up("/up/3"), "503 ERROR");
  });

  test("/accept-traffic is 500 above the memory threshold", async () => {
    let usedBytes = 85;
    const health = createHealthRoutes({
      readiness: () => READY,
      memory: () => ({ usedBytes, totalBytes: 100 }),
      apps: { byId: () => undefined },
    });
    assert.equal((await health("GET", "/accept-traffic"))?.status, 200);
    usedBytes = 86;
    const answer = await health("GET", "/accept-traffic");
    assert.equal(answer?.status, 500);
    assert.match(answer.body, /86\.0 % of memory is in use, new traffic is taken up to 85 %/);
  });

  test("what is no health path is nobody's here", () => {
    const health = createHealthRoutes({
      readiness: () => READY,
      memory: () => ({ usedBytes: 0, totalBytes: 0 }),
      apps: { byId: () => undefined },
    });
    for (const path of ["/metrics", "/health", "/up/", "/up/a/b", "/apps/3/events"]) {
      assert.equal(health("GET", path), undefined, path);
    }
  });

  test("health is served below the path prefix as well as without it", async () => {
    const api = createTestApi(testSettings(), {
      settings: { pathPrefix: "/ws", maxBodyBytes: 1_000, corsOrigins: [] },
    });
    for (const path of ["/ws/health/live", "/health/live", "/ws", "/ws/", "/"]) {
      assert.equal((await api.request({ path, query: "" })).status, 200, path);
    }
  });
});
