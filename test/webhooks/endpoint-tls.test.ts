/** An https endpoint's own authorities and certificate, against a receiver that asks for one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { TLSSocket } from "node:tls";
import type { EndpointTls } from "../../src/apps/app.ts";
import { createServer as createPipit } from "../../src/server.ts";
import { createHttpTarget } from "../../src/webhooks/http-target.ts";
import type { Answer } from "../../src/webhooks/target.ts";
import { type Certificate, createCertificate } from "../support/certificate.ts";
import { APP } from "../support/pipit.ts";

const NONE: EndpointTls = { ca: undefined, certificate: undefined, key: undefined };

/** Asks for a certificate of `client`'s, when that is given. */
async function serve(t: TestContext, own: Certificate, client?: Certificate) {
  const shown: string[] = [];
  const server = createServer(
    {
      cert: own.cert,
      key: readFileSync(own.keyFile),
      ...(client && { ca: client.cert, requestCert: true, rejectUnauthorized: true }),
    },
    (request, response) => {
      shown.push((request.socket as TLSSocket).getPeerCertificate().fingerprint256);
      response.end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, shown };
}

function openSender(t: TestContext) {
  const target = createHttpTarget({ now: Date.now });
  t.after(() => target.close());
  return (url: string, tls: EndpointTls | undefined): Promise<Answer> => {
    const attempt = { endpoint: "app:one", headers: {}, body: Buffer.from("{}"), concurrency: 1 };
    const never = new AbortController().signal;
    return target.send({ ...attempt, url, timeoutMs: 5_000, tls }, never);
  };
}

test("a receiver is trusted by the endpoint's own authorities, as a file or as PEM, and by no other's", async (t) => {
  const own = createCertificate(t);
  const other = createCertificate(t);
  const { url } = await serve(t, own);
  const send = openSender(t);
  const untrusted = { kind: "connection", reason: "DEPTH_ZERO_SELF_SIGNED_CERT" };
  assert.deepEqual(await send(url, undefined), untrusted);
  assert.deepEqual(await send(url, { ...NONE, ca: { pem: other.cert } }), untrusted);
  assert.equal((await send(url, { ...NONE, ca: { pem: own.cert } })).kind, "answered");
  assert.equal((await send(url, { ...NONE, ca: { file: own.certFile } })).kind, "answered");
  // The connection that was trusted just now is no way around it.
  assert.deepEqual(await send(url, undefined), untrusted);
});

test("a receiver that asks for a certificate is shown the endpoint's, and takes nobody without", async (t) => {
  const own = createCertificate(t);
  const client = createCertificate(t);
  const { url, shown } = await serve(t, own, client);
  const send = openSender(t);
  const ca = { pem: own.cert };
  assert.equal((await send(url, { ...NONE, ca })).kind, "connection");
  const key = { file: client.keyFile };
  const tls = { ca, certificate: { file: client.certFile }, key };
  assert.equal((await send(url, tls)).kind, "answered");
  const inline = { pem: readFileSync(client.keyFile, "utf8") };
  assert.equal((await send(url, { ...tls, key: inline })).kind, "answered");
  assert.equal(new Set(shown).size, 1);
});

test("a file that has gone since the start is a failed attempt", async (t) => {
  const own = createCertificate(t);
  const { url } = await serve(t, own);
  const answer = await openSender(t)(url, { ...NONE, ca: { file: `${own.certFile}.gone` } });
  assert.deepEqual(answer, { kind: "connection", reason: "ENOENT" });
});

test("a server whose webhooks name a file that is not there does not start, and says which", async () => {
  const webhooks = [{ url: "https://receiver.example/", ca: "/nowhere/ca.pem" }];
  const server = createPipit({
    port: 0,
    metrics: { port: 0 },
    log: { level: "silent" },
    app_manager: { apps: [{ ...APP, webhooks }] },
  });
  await assert.rejects(server.listen(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "PIPIT_CONFIG_INVALID");
    assert.match(
      error.message,
      /webhooks\[0\]\.ca: found "\/nowhere\/ca\.pem", which does not exist/,
    );
    return true;
  });
  await server.close();
});
