import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { LENIENT_RULES, type TargetRules } from "../../src/webhooks/address-policy.ts";
import { createHttpTarget, MAX_ANSWER_BYTES } from "../../src/webhooks/http-target.ts";
import { FRESH_MS, type Resolve } from "../../src/webhooks/name-lookups.ts";
import type { Attempt } from "../../src/webhooks/target.ts";
import { until } from "../support/until.ts";

const NEVER = new AbortController().signal;

function attempt(url: string, changes: Partial<Attempt> = {}): Attempt {
  const body = Buffer.from("{}");
  return {
    endpoint: "app:one",
    url,
    headers: {},
    body,
    timeoutMs: 2_000,
    concurrency: 1,
    tls: undefined,
    ...changes,
  };
}

function openTarget(
  t: TestContext,
  resolve: Resolve = unresolved,
  now = Date.now,
  rules: Partial<TargetRules> = {},
) {
  const target = createHttpTarget({
    resolve,
    now,
    lookUpDirectly: async () => [],
    rules: { ...LENIENT_RULES, ...rules },
  });
  t.after(() => target.close());
  return target;
}

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const unresolved: Resolve = (hostname) => assert.fail(`${hostname} was looked up`);

/** Says that every name has these addresses. */
const resolving =
  (...addresses: string[]): Resolve =>
  (_hostname, _options, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

describe("the HTTP target", () => {
  for (const host of [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "[::ffff:169.254.169.254]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
  ]) {
    test(`refuses ${host} as it is written`, async (t) => {
      const answer = await openTarget(t).send(attempt(`http://${host}/latest`), NEVER);
      assert.deepEqual(answer, { kind: "refused_target", reason: "PIPIT_TARGET_REFUSED" });
    });
  }

  test("refuses a name by the address that it resolves to, over TLS too", async (t) => {
    for (const addresses of [["169.254.169.254"], ["127.0.0.1", "::ffff:169.254.169.254"]]) {
      const target = openTarget(t, resolving(...addresses));
      for (const scheme of ["http", "https"]) {
        const answer = await target.send(attempt(`${scheme}://innocent.test/`), NEVER);
        assert.equal(answer.kind, "refused_target");
      }
    }
  });

  test("answers with the code when a name cannot be resolved", async (t) => {
    const unknown = ((_hostname, _options, done: (error: Error) => void) =>
      done(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }))) as Resolve;
    const answer = await openTarget(t, unknown).send(attempt("http://gone.test/"), NEVER);
    assert.deepEqual(answer, { kind: "connection", reason: "ENOTFOUND" });
  });

  test("answers, and does not throw, for what cannot be sent at all", async (t) => {
    const target = openTarget(t);
    for (const bad of [
      attempt("nonsense"),
      attempt("ftp://receiver.test/"),
      attempt("http://127.0.0.1:1/", { headers: { x: "a\nb" } }),
    ]) {
      assert.equal((await target.send(bad, NEVER)).kind, "connection");
    }
  });

  test("connects to the very address that was checked", async (t) => {
    const port = await serve(t, (request, response) =>
      response.writeHead(200).end(request.headers.host),
    );
    const target = openTarget(t, resolving("127.0.0.1"));
    const answer = await target.send(attempt(`http://receiver.test:${port}/`), NEVER);
    assert.deepEqual(answer, { kind: "answered", status: 200, retryAfter: undefined });
  });

  test("checks again when a name that passed before resolves to something else", async (t) => {
    const port = await serve(t, (_request, response) => {
      response.writeHead(200, { connection: "close" }).end();
    });
    let address = "127.0.0.1";
    let nowMs = 0;
    const target = openTarget(
      t,
      (hostname, options, done) => resolving(address)(hostname, options, done),
      () => nowMs,
    );
    const url = `http://receiver.test:${port}/`;
    assert.equal((await target.send(attempt(url), NEVER)).kind, "answered");
    address = "169.254.169.254";
    nowMs += FRESH_MS;
    assert.equal((await target.send(attempt(url), NEVER)).kind, "refused_target");
  });

  test("refuses a name that was public before and leads inside now", async (t) => {
    const port = await serve(t, (_request, response) => {
      response.writeHead(200, { connection: "close" }).end();
    });
    // 127.0.0.1 stands for a public address here: a test connects to no other.
    let address = "127.0.0.1";
    let nowMs = 0;
    const rules = { refusesPrivate: true, allowed: ["127.0.0.1"] };
    const target = openTarget(
      t,
      (hostname, options, done) => resolving(address)(hostname, options, done),
      () => nowMs,
      rules,
    );
    const url = `http://receiver.test:${port}/`;
    assert.equal((await target.send(attempt(url), NEVER)).kind, "answered");
    address = "10.0.0.1";
    nowMs += FRESH_MS;
    assert.equal((await target.send(attempt(url), NEVER)).kind, "refused_target");
  });

  test("refuses loopback when private targets are refused, but for a host or range that is allowed", async (t) => {
    let requests = 0;
    const port = await serve(t, (_request, response) => {
      requests += 1;
      response.end();
    });
    const kindOf = async (url: string, ...allowed: string[]) => {
      const rules = { refusesPrivate: true, allowed };
      const target = openTarget(t, resolving("127.0.0.1"), Date.now, rules);
      return (await target.send(attempt(url), NEVER)).kind;
    };
    const named = `http://Receiver.test:${port}/`;
    const literal = `http://127.0.0.1:${port}/`;
    assert.equal(await kindOf(named), "refused_target");
    assert.equal(await kindOf(literal), "refused_target");
    assert.equal(await kindOf(`http://localhost:${port}/`), "refused_target");
    assert.equal(await kindOf(named, "other.test", "127.0.0.2"), "refused_target");
    assert.equal(requests, 0);
    assert.equal(await kindOf(named, "receiver.test"), "answered");
    assert.equal(await kindOf(literal, "127.0.0.0/8"), "answered");
  });

  test("refuses what is not https when only https is allowed", async (t) => {
    const target = openTarget(t, unresolved, Date.now, { isHttpsOnly: true });
    const answer = await target.send(attempt("http://receiver.test/"), NEVER);
    assert.deepEqual(answer, { kind: "refused_target", reason: "PIPIT_TARGET_REFUSED" });
  });

  test("reads no more of an answer than its bound, however long it goes on", async (t) => {
    let written = 0;
    const chunk = Buffer.alloc(16 * 1_024);
    const port = await serve(t, (_request, response) => {
      response.on("close", () => {
        isClosed = true;
      });
      const write = () => {
        while (!isClosed) {
          written += chunk.length;
          if (!response.write(chunk)) break;
        }
      };
      response.on("drain", write);
      write();
    });
    let isClosed = false;
    const answer = await openTarget(t).send(attempt(`http://127.0.0.1:${port}/`), NEVER);
    assert.equal(answer.kind, "answered");
    await until("the connection is given up", () => isClosed);
    // What the kernel buffers on both sides comes on top.
    assert.ok(written > MAX_ANSWER_BYTES && written < 16 * 1_024 * 1_024, String(written));
  });

  test("gives up an answer whose headers are too long", async (t) => {
    const port = await serve(t, (_request, response) => {
      response.writeHead(200, { "x-long": "a".repeat(20_000) }).end();
    });
    const answer = await openTarget(t).send(attempt(`http://127.0.0.1:${port}/`), NEVER);
    assert.deepEqual(answer, { kind: "connection", reason: "UND_ERR_HEADERS_OVERFLOW" });
  });

  test("posts to one name while the look-up of another hangs for all its connections", async (t) => {
    const port = await serve(t, (_request, response) => response.writeHead(200).end());
    // As Node's own: two threads, taken in order.
    let threads = 2;
    const target = openTarget(t, (hostname, options, done) => {
      if (threads === 0) return;
      if (hostname === "healthy.test") resolving("127.0.0.1")(hostname, options, done);
      else threads -= 1;
    });
    const giveUp = new AbortController();
    const hanging = Array.from({ length: 4 }, () =>
      target.send(attempt("http://hanging.test/", { concurrency: 4 }), giveUp.signal),
    );
    const healthy = attempt(`http://healthy.test:${port}/`, { endpoint: "other:one" });
    assert.equal((await target.send(healthy, NEVER)).kind, "answered");
    giveUp.abort();
    for (const answer of await Promise.all(hanging)) assert.equal(answer.kind, "connection");
  });

  test("gives up at once when it is told to", async (t) => {
    const port = await serve(t, () => giveUp.abort());
    const giveUp = new AbortController();
    const startedMs = performance.now();
    const answer = await openTarget(t).send(attempt(`http://127.0.0.1:${port}/`), giveUp.signal);
    assert.equal(answer.kind, "connection");
    assert.ok(performance.now() - startedMs < 1_900);
  });
});
