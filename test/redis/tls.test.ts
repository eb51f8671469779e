import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createRedisConnections } from "../../src/redis/connections.ts";
import { CERTIFICATE, KEY } from "../config/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { startRedis } from "../support/redis-server.ts";
import { until } from "../support/until.ts";
import { openConnections } from "./open-connections.ts";

test("a Redis with TLS is spoken to when its certificate is the right one, and only then", async (t) => {
  const files = writeCertificate(t);
  const port = await freePort();
  await startRedis(t, {
    args: [
      ...["--tls-port", `${port}`, "--tls-auth-clients", "no"],
      ...[
        "--tls-cert-file",
        files.cert,
        "--tls-key-file",
        files.key,
        "--tls-ca-cert-file",
        files.cert,
      ],
    ],
  });
  const url = `rediss://127.0.0.1:${port}`;
  const trusted = { caFile: files.cert, serverName: "localhost" };
  const connections = await openConnections(t, { url, tls: trusted });
  await connections.bus.subscribe(connections.keys.wakeTopic(0));

  const reasons: string[] = [];
  const note = ({ reason }: Readonly<Record<string, unknown>>) => void reasons.push(String(reason));
  const doubting = createRedisConnections({ url }, { ...SILENT_LOG, warn: note });
  const connecting = doubting.connect();
  await until("the certificate is refused", () => reasons.length > 0);
  await doubting.close();
  await assert.rejects(connecting, { code: "PIPIT_REDIS_UNAVAILABLE" });
  assert.match(reasons.join(), /certificate/);
});

test("a file that is not there stops the start", async () => {
  const tls = { caFile: "/nowhere/ca.pem" };
  const connections = createRedisConnections({ url: "rediss://127.0.0.1:1", tls }, SILENT_LOG);
  await assert.rejects(connections.connect(), /ENOENT.*\/nowhere\/ca\.pem/);
});

function writeCertificate(t: TestContext): { readonly cert: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), "pipit-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  writeFileSync(cert, CERTIFICATE);
  writeFileSync(key, KEY);
  return { cert, key };
}
