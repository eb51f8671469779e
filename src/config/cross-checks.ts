/**
 * What no single field can tell: whether keys, ids and endpoints are unique, and whether parts that belong
 * together are there. Reads the respelled input, not the parsed one, so that these problems come in the same
 * list as those of the schema.
 */
import { isRecord, pathText, valueAt } from "./path.ts";
import { foundText, type Problem } from "./problems.ts";
import { webhookIds } from "./webhook-id.ts";

export function crossProblems(input: unknown): readonly Problem[] {
  const problems: Problem[] = [];
  const ids = createUnique(problems, "app id", "give each app its own");
  const keys = createUnique(problems, "key", "a key belongs to one app");
  const isHttpsOnly = valueAt(input, ["webhooks", "https_only"]) === true;
  for (const [index, app] of appsIn(input).entries()) {
    const path = ["app_manager", "apps", index];
    if (!isRecord(app)) continue;
    ids.add([...path, "id"], app.id);
    keys.add([...path, "key"], app.key);
    for (const [at, pair] of listIn(app.keys).entries()) {
      if (isRecord(pair)) keys.add([...path, "keys", at, "key"], pair.key);
    }
    problems.push(
      ...keyProblems(path, app),
      ...webhookProblems([...path, "webhooks"], app.webhooks),
      ...tlsProblems([...path, "webhooks"], app.webhooks, isHttpsOnly),
    );
  }
  const retry = valueAt(input, ["webhooks", "retry"]);
  if (isRecord(retry)) problems.push(...retryProblems(retry));
  return problems;
}

/** The apps of a respelled input, whatever they are. */
export function appsIn(input: unknown): readonly unknown[] {
  return listIn(valueAt(input, ["app_manager", "apps"]));
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function keyProblems(
  path: readonly PropertyKey[],
  app: Readonly<Record<string, unknown>>,
): readonly Problem[] {
  const pair = "needed: key and secret, or keys with several pairs";
  if (app.keys !== undefined) {
    if (app.key === undefined && app.secret === undefined) return [];
    return [
      {
        path: pathText([...path, "keys"]),
        text: "stands beside key and secret: move that pair into keys",
      },
    ];
  }
  return ["key", "secret"]
    .filter((name) => app[name] === undefined)
    .map((name) => ({ path: pathText([...path, name]), text: `is missing, ${pair}` }));
}

function webhookProblems(path: readonly PropertyKey[], webhooks: unknown): readonly Problem[] {
  const problems: Problem[] = [];
  const unique = createUnique(problems, "endpoint id", "give each webhook of the app its own");
  const list = listIn(webhooks).map((webhook) => ({
    id: isRecord(webhook) && typeof webhook.id === "string" ? webhook.id : undefined,
    url: isRecord(webhook) && typeof webhook.url === "string" ? webhook.url : "",
  }));
  for (const [index, id] of webhookIds(list).entries()) {
    if (list[index]?.id !== undefined || list[index]?.url !== "") {
      unique.add([...path, index, "id"], id);
    }
  }
  return problems;
}

function tlsProblems(
  path: readonly PropertyKey[],
  webhooks: unknown,
  isHttpsOnly: boolean,
): readonly Problem[] {
  return listIn(webhooks).flatMap((webhook, index): Problem[] => {
    if (!isRecord(webhook)) return [];
    const problems: Problem[] = [];
    const { url, client_certificate: certificate, client_key: key } = webhook;
    const refuse = (name: string, text: string) =>
      problems.push({ path: pathText([...path, index, name]), text });
    if (certificate !== undefined && key === undefined) {
      refuse("client_key", "is missing, needed: the key of client_certificate");
    }
    if (key !== undefined && certificate === undefined) {
      refuse("client_certificate", "is missing, needed: the certificate of client_key");
    }
    if (typeof url !== "string" || !/^\s*http:/i.test(url)) return problems;
    const tls = ["ca", "client_certificate"].find((name) => webhook[name] !== undefined);
    if (isHttpsOnly) refuse("url", "found an http URL, allowed: https, by webhooks.https_only");
    else if (tls !== undefined)
      refuse("url", `found an http URL, needed: https, because of ${tls}`);
    return problems;
  });
}

function retryProblems(retry: Readonly<Record<string, unknown>>): readonly Problem[] {
  const { initial_ms: initialMs = 1_000, max_ms: maxMs = 60_000 } = retry;
  if (typeof initialMs !== "number" || typeof maxMs !== "number" || initialMs <= maxMs) return [];
  const text = `found ${initialMs}, allowed: at most webhooks.retry.max_ms, which is ${maxMs}`;
  return [{ path: "webhooks.retry.initial_ms", text }];
}

/** Notices a value that comes twice; the problem names where it stood first. */
function createUnique(problems: Problem[], what: string, wayOut: string) {
  const first = new Map<string, readonly PropertyKey[]>();
  return {
    add(path: readonly PropertyKey[], value: unknown): void {
      if (typeof value !== "string") return;
      const before = first.get(value);
      if (before === undefined) {
        first.set(value, path);
        return;
      }
      const text = `found the ${what} ${foundText(path, value)} a second time, first at ${pathText(before)}: ${wayOut}`;
      problems.push({ path: pathText(path), text });
    },
  };
}
