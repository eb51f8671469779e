import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { createAddressPolicy } from "../../src/webhooks/address-policy.ts";
import { createHttpTarget } from "../../src/webhooks/http-target.ts";
import { FRESH_MS, type Resolve } from "../../src/webhooks/name-lookups.ts";
import type { Attempt } from "../../src/webhooks/target.ts";

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

function openTarget(t: TestContext, resolve: Resolve = unresolved, now = Date.now) {
  const target = createHttpTarget({ resolve, now, lookUpDirectly: async () => [] });
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

describe("the address policy", () => {
  test("refuses link-local and metadata addresses in every notation, and nothing else", () => {
    const policy = createAddressPolicy();
    for (const address of [
      "169.254.0.1",
      "169.254.169.254",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "64:ff9b::a9fe:a9fe",
      "fe80::1",
      "febf::1",
      "fd00:ec2::254",
      "100.100.100.200",
      "::ffff:100.100.100.200",
      "168.63.129.16",
      "192.0.0.192",
    ]) {
      assert.equal(policy.isRefused(address, "receiver.test"), true, address);
    }
    for (const address of [
      "127.0.0.1",
      "10.0.0.1",
      "192.168.1.1",
      "::1",
      "fc00::1",
      "fec0::1",
      "8.8.8.8",
      "169.253.1.1",
      "name",
    ]) {
      assert.equal(policy.isRefused(address, "receiver.test"), false, address);
    }
  });
});

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
