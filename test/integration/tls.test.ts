/** The same port over TLS, where `ssl` is given. protocol.md §1.1. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import Pusher from "pusher";
import { createServer } from "../../src/server.ts";
import { type Certificate, createCertificate } from "../support/certificate.ts";
import { sendBytes } from "../support/http-request.ts";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

const CLIENT = fileURLToPath(new URL("../support/wss-client.ts", import.meta.url));

function ssl({ certFile, keyFile }: Certificate): { cert_file: string; key_file: string } {
  return { cert_file: certFile, key_file: keyFile };
}

test("pusher-js that trusts the certificate connects over wss, also to an app that takes TLS only, and hears what is published over https", async (t) => {
  const certificate = createCertificate(t);
  const pipit = await startPipit(t, { tls_only: true }, { ssl: ssl(certificate) });
  assert.equal(pipit.server.address()?.isTls, true);
  const child = spawn(process.execPath, ["--import", "tsx", CLIENT, String(pipit.port), "room"], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate.certFile },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  await until("it is subscribed", () => lines.includes("subscribed"), 20_000);
  const agent = new Agent({ ca: certificate.cert });
  t.after(() => agent.destroy());
  const library = new Pusher({
    ...APP,
    appId: APP.id,
    host: "127.0.0.1",
    port: String(pipit.port),
    useTLS: true,
    agent,
  });
  await library.trigger("room", "news", { n: 1 });
  await until("the event is heard", () => lines.length === 2);
  assert.deepEqual(JSON.parse(lines[1] ?? ""), { event: "news", data: { n: 1 } });
});

test("a key that is locked opens with ssl.passphrase", async (t) => {
  const certificate = createCertificate(t, "open sesame");
  const pipit = await startPipit(
    t,
    {},
    { ssl: { ...ssl(certificate), passphrase: "open sesame" } },
  );
  const status = await new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: pipit.port, path: "/", ca: certificate.cert };
    request({ ...options, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
  assert.equal(status, 200);
});

test("a client that speaks no TLS is dropped without an answer", async (t) => {
  const pipit = await startPipit(t, {}, { ssl: ssl(createCertificate(t)) });
  const answer = await sendBytes(t, pipit.port, ["GET / HTTP/1.1\r\nHost: h\r\n\r\n"], () => false);
  assert.ok(!answer.includes("HTTP/1.1 200"), answer);
});

test("a start with a key that is not the certificate's, or a wrong passphrase, fails and says what to look at", async (t) => {
  const [one, other] = [createCertificate(t), createCertificate(t)];
  const locked = createCertificate(t, "right");
  for (const given of [
    { ...ssl(one), key_file: other.keyFile },
    { ...ssl(locked), passphrase: "wrong" },
    { cert_file: one.keyFile, key_file: one.keyFile },
  ]) {
    await assert.rejects(
      async () => {
        const server = createServer({
          port: 0,
          metrics: { enabled: false },
          log: { level: "silent" },
          ssl: given,
          app_manager: { apps: [{ ...APP }] },
        });
        t.after(() => server.close());
        await server.listen();
      },
      (error: Error) => /ssl/.test(error.message) && !/sesame|wrong"/.test(error.message),
    );
  }
});
