/** Looks at the certificates and keys that webhooks name, before a delivery fails on them without saying why. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileProblem, isUnfilled } from "./certificate-files.ts";
import { ConfigError } from "./config-error.ts";
import { appsIn } from "./cross-checks.ts";
import { isRecord, pathText } from "./path.ts";
import type { Problem } from "./problems.ts";
import { problemLine } from "./read-config.ts";

const FILE_KEYS = ["ca", "client_certificate", "client_key"] as const;

/** Whether a setting holds PEM itself; else it is the path of a file with it. */
export function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

/**
 * Every certificate and key of the webhooks in a respelled configuration that cannot be read or used. Whatever is
 * no text is left to the schema, so that these problems come in the same list as its.
 */
export function webhookFileProblems(input: unknown): readonly Problem[] {
  return webhooksIn(input).flatMap(({ path, webhook }) => {
    const problems: Problem[] = [];
    const look = <T>(name: (typeof FILE_KEYS)[number], read: (pem: Buffer) => T): T | undefined => {
      const value = webhook[name];
      if (typeof value !== "string" || value === "" || isUnfilled(value)) return undefined;
      try {
        return read(isPem(value) ? Buffer.from(value) : readFileSync(value));
      } catch (error) {
        problems.push({ path: pathText([...path, name]), text: pemProblem(name, value, error) });
        return undefined;
      }
    };
    look("ca", (pem) => new X509Certificate(pem));
    const certificate = look("client_certificate", (pem) => new X509Certificate(pem));
    const key = look("client_key", (pem) => createPrivateKey(pem));
    if (certificate && key && !certificate.checkPrivateKey(key)) {
      const text = "is not the key of the certificate in client_certificate";
      problems.push({ path: pathText([...path, "client_key"]), text });
    }
    return problems;
  });
}

/** Throws ConfigError when certificates or keys of webhooks cannot be used. Reads files. */
export function requireWebhookFiles(input: unknown): void {
  const problems = webhookFileProblems(input);
  if (problems.length > 0) throw new ConfigError(problems.map(problemLine));
}

/** A layer of the configuration in which the webhooks' files are named from the root, not from `folder`. */
export function withAbsoluteWebhookFiles(
  layer: Readonly<Record<string, unknown>>,
  folder: string,
): Readonly<Record<string, unknown>> {
  const { app_manager: manager } = layer;
  if (!isRecord(manager) || !Array.isArray(manager.apps)) return layer;
  const apps = manager.apps.map((app: unknown) => {
    if (!isRecord(app) || !Array.isArray(app.webhooks)) return app;
    return { ...app, webhooks: app.webhooks.map((webhook) => withAbsoluteFiles(webhook, folder)) };
  });
  return { ...layer, app_manager: { ...manager, apps } };
}

function withAbsoluteFiles(webhook: unknown, folder: string): unknown {
  if (!isRecord(webhook)) return webhook;
  const files = FILE_KEYS.flatMap((name) => {
    const value = webhook[name];
    const isPath = typeof value === "string" && value !== "" && !isPem(value);
    return isPath ? [[name, resolve(folder, value)] as const] : [];
  });
  return { ...webhook, ...Object.fromEntries(files) };
}

function webhooksIn(input: unknown) {
  return appsIn(input).flatMap((app, index) => {
    const webhooks: readonly unknown[] =
      isRecord(app) && Array.isArray(app.webhooks) ? app.webhooks : [];
    return webhooks.flatMap((webhook, at) => {
      const path = ["app_manager", "apps", index, "webhooks", at];
      return isRecord(webhook) ? [{ path, webhook }] : [];
    });
  });
}

/** Says nothing of what an inline key or certificate holds. */
function pemProblem(name: string, value: string, error: unknown): string {
  const found = isPem(value) ? "a PEM text" : JSON.stringify(value);
  const inContent =
    name === "client_key"
      ? "which holds no private key in PEM, or one with a passphrase"
      : "which holds no certificate in PEM";
  return `found ${found}, ${fileProblem(error) ?? inContent}`;
}
