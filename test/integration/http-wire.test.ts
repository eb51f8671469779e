/** HTTP as it comes over the wire: chunks, packets, sizes, methods, origins. protocol.md §6.9, §6.10. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { subscribe } from "../support/commands.ts";
import { send, sendBytes, sendSigned, signedTarget } from "../support/http-request.ts";
import { startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

const EVENT = { name: "x", channel: "a", data: "€".repeat(20_000) };

test("a body in chunks is read like any other", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await subscribe(socket, "a");
  const { status, text } = await sendSigned(pipit.port, {
    path: "/events",
    body: EVENT,
    isChunked: true,
  });
  assert.deepEqual([status, text], [200, "{}"]);
  const frame = await socket.frame("the event comes", ({ event }) => event === "x");
  assert.equal(frame.data, EVENT.data);
});

test("a body in many small packets, cut anywhere, is read like any other", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw();
  await subscribe(socket, "a");
  const event = { name: "x", channel: "a", data: "€ü😀".repeat(50) };
  const body = Buffer.from(JSON.stringify(event));
  const target = signedTarget({ path: "/events", body });
  const head = Buffer.from(
    `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  const bytes = Buffer.concat([head, body]);
  for (const size of [1, 7, 100]) {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
    const answer = await sendBytes(t, pipit.port, parts, (text) => text.endsWith("{}"));
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/, `packets of ${size}`);
  }
  await pipit.pusher.trigger("a", "marker", "");
  await socket.frame("the marker comes", (frame) => frame.event === "marker");
  const events = socket.frames.filter((frame) => frame.event === "x");
  assert.deepEqual(
    events.map(({ data }) => data),
    Array.from({ length: 3 }, () => event.data),
  );
});

test("a connection serves one request after the other, whatever the answers", async (t) => {
  const pipit = await startPipit(t);
  const body = Buffer.from(JSON.stringify({ name: "x", channel: "a", data: "" }));
  const read = signedTarget({ method: "GET", path: "/channels" });
  const requests: readonly string[] = [
    `POST ${signedTarget({ path: "/events", body })} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    `HEAD ${signedTarget({ method: "HEAD", path: "/channels" })} HTTP/1.1\r\nHost: h\r\n\r\n`,
    "POST /apps/42/events HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody",
    "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n",
    "OPTIONS /apps/42/events HTTP/1.1\r\nHost: h\r\n\r\n",
    `GET ${read} HTTP/1.1\r\nHost: h\r\n\r\n`,
  ];
  const socket = connect(pipit.port, "127.0.0.1");
  t.after(() => socket.destroy());
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString();
  });
  const statuses = (): readonly string[] =>
    [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = ""]) => status);
  for (const [n, request] of requests.entries()) {
    socket.write(request);
    await until(`answer ${n} comes`, () => statuses().length === n + 1);
  }
  await until("the last body comes", () => received.endsWith('{"channels":{}}'));
  assert.deepEqual(statuses(), ["200", "200", "401", "404", "204", "200"]);
});

test("a body over max_request_body_kb is refused with 413, with its length or in chunks", async (t) => {
  const pipit = await startPipit(t, {}, { limits: { max_request_body_kb: 8 } });
  for (const size of [9_000, 300_000]) {
    const body = { ...EVENT, data: "x".repeat(size) };
    for (const isChunked of [false, true]) {
      const { status, json } = await sendSigned(pipit.port, { path: "/events", body, isChunked });
      assert.equal(status, 413, `${size} ${isChunked}`);
      assert.match((json as { error: string }).error, /8192 bytes are allowed/);
    }
  }
  const whole = await sendSigned(pipit.port, { path: "/events", body: { ...EVENT, data: "" } });
  assert.equal(whole.status, 200);
});

test("a length that claims gigabytes is refused before a byte of it is sent", async (t) => {
  const pipit = await startPipit(t);
  const target = signedTarget({ path: "/events", body: "x" });
  const head = `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000000\r\n\r\n`;
  assert.match(await sendBytes(t, pipit.port, [head]), /^HTTP\/1\.1 413 /);
});

test("an unsigned body is refused without being waited for", async (t) => {
  const pipit = await startPipit(t);
  const head =
    "POST /apps/42/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nfirst bytes";
  assert.match(await sendBytes(t, pipit.port, [head]), /^HTTP\/1\.1 401 /);
});

test("a client that leaves in the middle of its body harms nobody", async (t) => {
  const pipit = await startPipit(t);
  const body = Buffer.from(JSON.stringify(EVENT));
  const target = signedTarget({ path: "/events", body });
  for (let n = 0; n < 20; n++) {
    const socket = connect(pipit.port, "127.0.0.1");
    await new Promise<void>((resolve) => {
      // Cut at another byte each time, in the middle of a character too.
      socket.write(
        `POST ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n${body.subarray(0, 100 * n).toString("latin1")}`,
        () => resolve(),
      );
    });
    socket.destroy();
  }
  assert.equal((await sendSigned(pipit.port, { path: "/events", body })).status, 200);
});

test("16 KB of request headers are accepted and much more is refused", async (t) => {
  const pipit = await startPipit(t);
  const target = signedTarget({ method: "GET", path: "/channels" });
  const headers = (total: number): Record<string, string> => {
    const base = `GET ${target} HTTP/1.1\r\nhost: 127.0.0.1:${pipit.port}\r\nConnection: keep-alive\r\n\r\n`;
    return { cookie: "x".repeat(total - base.length - "cookie: \r\n".length) };
  };
  assert.equal((await send(pipit.port, "GET", target, headers(16_000))).status, 200);
  const request = `GET ${target} HTTP/1.1\r\nHost: h\r\nCookie: ${"x".repeat(40_000)}\r\n\r\n`;
  assert.match(await sendBytes(t, pipit.port, [request]), /^(HTTP\/1\.1 431 |$)/);
  assert.equal((await send(pipit.port, "GET", target)).status, 200);
});

test("a WebSocket whose request has 16 KB of headers is admitted", async (t) => {
  const pipit = await startPipit(t);
  const socket = await pipit.raw(undefined, { Cookie: "x".repeat(15_500) });
  await socket.socketId();
});

test("whatever has no route is 404, and the wrong method 405 with the right one, in JSON", async (t) => {
  const pipit = await startPipit(t);
  for (const [method, path, status] of [
    ["GET", "/nothing", 404],
    ["POST", "/apps", 404],
    ["GET", "/apps/42", 404],
    ["GET", "/apps/42/channels/a/b", 404],
    ["GET", "/apps/42/channels/a/users/b", 404],
    ["POST", "/apps/42/unknown", 404],
    ["GET", "//", 404],
    ["GET", "/apps/42/events", 405],
    ["PUT", "/apps/42/events", 405],
    ["DELETE", "/apps/42/channels", 405],
    ["POST", "/apps/42/channels/a", 405],
  ] as const) {
    const answer = await send(pipit.port, method, path);
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.equal((answer.json as { code: number }).code, status);
    if (status === 405) assert.ok(answer.headers.allow);
  }
});

test("HEAD answers as GET does, without the body", async (t) => {
  const pipit = await startPipit(t);
  const head = await sendSigned(pipit.port, { method: "HEAD", path: "/channels" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal(head.headers["content-length"], String('{"channels":{}}'.length));
  const health = await send(pipit.port, "HEAD", "/ready");
  assert.deepEqual([health.status, health.text], [200, ""]);
});

test("a page of any origin may read by default, of a listed one where there is a list", async (t) => {
  const open = await startPipit(t);
  const target = signedTarget({ method: "GET", path: "/channels" });
  const any = await send(open.port, "GET", target, { Origin: "https://a.example" });
  assert.equal(any.headers["access-control-allow-origin"], "*");
  assert.equal(
    (await send(open.port, "GET", target)).headers["access-control-allow-origin"],
    undefined,
  );

  const listed = await startPipit(t, {}, { cors: { origins: ["https://a.example"] } });
  const origins: unknown[] = [];
  for (const Origin of ["https://a.example", "https://b.example"]) {
    const { headers } = await send(listed.port, "GET", target, { Origin });
    origins.push(headers["access-control-allow-origin"]);
    assert.equal(headers.vary, "Origin");
  }
  assert.deepEqual(origins, ["https://a.example", undefined]);
});

test("a preflight needs no signature and allows the method and headers that are asked for", async (t) => {
  const pipit = await startPipit(t);
  const { status, headers, text } = await send(pipit.port, "OPTIONS", "/apps/42/events", {
    Origin: "https://a.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "content-type, x-mine",
  });
  assert.deepEqual([status, text], [204, ""]);
  assert.equal(headers["access-control-allow-origin"], "*");
  assert.match(String(headers["access-control-allow-methods"]), /POST/);
  assert.equal(headers["access-control-allow-headers"], "content-type, x-mine");
});

test("a refusal carries the CORS headers too, so that a page can read why", async (t) => {
  const pipit = await startPipit(t);
  const { status, headers } = await send(pipit.port, "GET", "/apps/42/channels", {
    Origin: "https://a.example",
  });
  assert.equal(status, 401);
  assert.equal(headers["access-control-allow-origin"], "*");
});

test("bytes that are no HTTP end that connection only", async (t) => {
  const pipit = await startPipit(t);
  const client = await pipit.connect();
  for (const bytes of [
    "GET / HTTP/9.9\r\n\r\n",
    "POST /apps/42/events HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    "POST /apps/42/events HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003\r\n\r\n",
  ]) {
    const answer = await sendBytes(t, pipit.port, [Buffer.from(bytes, "latin1")]);
    assert.match(answer, /^HTTP\/1\.1 [45]\d\d /, JSON.stringify(bytes));
  }
  assert.equal(client.pusher.connection.state, "connected");
});
