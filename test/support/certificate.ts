/** Self-signed certificates for 127.0.0.1 and localhost, made by openssl, which every Debian has. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM. */
  readonly cert: string;
}

/** `passphrase` locks the key. The files are removed when the test ends. */
export function createCertificate(t: TestContext, passphrase?: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "pipit-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const lock = passphrase === undefined ? ["-nodes"] : ["-passout", `pass:${passphrase}`];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", ...lock]
      .concat(["-days", "2", "-subj", "/CN=localhost"])
      .concat(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
      .concat(["-keyout", keyFile, "-out", certFile]),
    { stdio: "pipe" },
  );
  return { certFile, keyFile, cert: readFileSync(certFile, "utf8") };
}
