/** Looks at the files that `ssl` names, before a listener fails on them without saying why. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "./config.ts";

/** Every file that cannot be read or used, one line each with its path in the configuration. */
export function certificateProblems(ssl: Config["ssl"]): readonly string[] {
  if (ssl === undefined) return [];
  const problems: string[] = [];
  const certificate = look("cert_file", ssl.cert_file, (pem) => new X509Certificate(pem));
  const key = look("key_file", ssl.key_file, (pem) => readKey(pem, ssl.passphrase));
  if (ssl.ca_file !== undefined) look("ca_file", ssl.ca_file, (pem) => new X509Certificate(pem));
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    problems.push("ssl.key_file: is not the key of the certificate in ssl.cert_file");
  }
  return problems;

  function look<T>(name: string, file: string, read: (pem: Buffer) => T): T | undefined {
    const where = `ssl.${name}: found ${JSON.stringify(file)}`;
    try {
      return read(readFileSync(file));
    } catch (error) {
      problems.push(`${where}, ${reason(error, name === "key_file")}`);
      return undefined;
    }
  }
}

function readKey(pem: Buffer, passphrase: string | undefined): KeyObject {
  return createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
}

/** Reading either fails with a system error, or the content is not what it should be. */
function reason(error: unknown, isKey: boolean): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return "which does not exist: correct the path";
  if (code === "EACCES") return "which this user may not read: change its owner or mode";
  if (code === "EISDIR") return "which is a directory: name the file in it";
  if (isKey) return "which holds no private key in PEM, or ssl.passphrase is missing or wrong";
  return "which holds no certificate in PEM";
}
