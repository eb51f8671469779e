/** Looks at the files that `ssl` names, before a listener fails on them without saying why. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { isRecord } from "./path.ts";
import type { Problem } from "./problems.ts";

/**
 * Every file named in a respelled `ssl` that cannot be read or used. Whatever is no text is left to the schema,
 * so that these problems come in the same list as its.
 */
export function certificateProblems(ssl: unknown): readonly Problem[] {
  if (!isRecord(ssl)) return [];
  const { cert_file: certFile, key_file: keyFile, ca_file: caFile, passphrase } = ssl;
  const problems: Problem[] = [];
  const certificate = look("cert_file", certFile, (pem) => new X509Certificate(pem));
  const key = isUnfilled(passphrase)
    ? undefined
    : look("key_file", keyFile, (pem) => readKey(pem, passphrase));
  look("ca_file", caFile, (pem) => new X509Certificate(pem));
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    const text = "is not the key of the certificate in ssl.cert_file";
    problems.push({ path: "ssl.key_file", text });
  }
  return problems;

  function look<T>(name: string, file: unknown, read: (pem: Buffer) => T): T | undefined {
    if (typeof file !== "string" || file === "" || isUnfilled(file)) return undefined;
    try {
      return read(readFileSync(file));
    } catch (error) {
      const text = `found ${JSON.stringify(file)}, ${reason(error, name === "key_file")}`;
      problems.push({ path: `ssl.${name}`, text });
      return undefined;
    }
  }
}

/** A placeholder without a value has been named already; what would follow from it helps nobody. */
export function isUnfilled(value: unknown): boolean {
  return typeof value === "string" && value.includes("${");
}

function readKey(pem: Buffer, passphrase: unknown): KeyObject {
  return createPrivateKey({ key: pem, ...(typeof passphrase === "string" ? { passphrase } : {}) });
}

/** Reading either fails with a system error, or the content is not what it should be. */
function reason(error: unknown, isKey: boolean): string {
  const inContent = isKey
    ? "which holds no private key in PEM, or ssl.passphrase is missing or wrong"
    : "which holds no certificate in PEM";
  return fileProblem(error) ?? inContent;
}

/** Why a file that is named could not be read, and what to do; undefined when it was read. */
export function fileProblem(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return "which does not exist: correct the path";
  if (code === "EACCES") return "which this user may not read: change its owner or mode";
  if (code === "EISDIR") return "which is a directory: name the file in it";
  return undefined;
}
