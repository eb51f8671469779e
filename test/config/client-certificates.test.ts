/** What the description of `ssl.ca_file` says, which is how the native library behaves. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type RequestOptions, request } from "node:https";
import { test } from "node:test";
import { type Certificate, createCertificate } from "../support/certificate.ts";
import { startPipit } from "../support/pipit.ts";

test("with ssl.ca_file a client's certificate must come from there, and one without any is let in", async (t) => {
  const [own, known, stranger] = [1, 2, 3].map(() => createCertificate(t));
  assert.ok(own && known && stranger);
  const ssl = { cert_file: own.certFile, key_file: own.keyFile, ca_file: known.certFile };
  const { port } = await startPipit(t, {}, { ssl });

  function status(certificate?: Certificate): Promise<number | undefined> {
    const options: RequestOptions = { host: "127.0.0.1", port, ca: own?.cert, agent: false };
    if (certificate !== undefined) {
      options.cert = certificate.cert;
      options.key = readFileSync(certificate.keyFile);
    }
    return new Promise((resolve, reject) => {
      request({ ...options, path: "/" }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
  }

  assert.equal(await status(known), 200);
  assert.equal(await status(), 200);
  await assert.rejects(status(stranger), /alert unknown ca/);
});
