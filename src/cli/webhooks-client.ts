/** Asks a running server over its HTTP API, signed as a backend of the app does. Source: protocol.md §6.1. */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { AUTH_VERSION, apiContent, bodyMd5 } from "../protocol/api-signature.ts";
import { sign, signingKey } from "../protocol/signature.ts";
import { readBounded } from "./bounded-body.ts";
import { CommandFailure } from "./command-failure.ts";
import type { KeyPair, ServerAccess } from "./webhooks-access.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Once the server has answered, a failure to reach it may be asked again later: it may be restarting. */
export interface ApiClient {
  /** `route`: what follows `/apps/{id}/webhooks`, encoded. Throws CommandFailure with what the server says. */
  get(route: string, params?: Readonly<Record<string, string | undefined>>): Promise<Fields>;
  post(route: string, body: Fields): Promise<Fields>;
}

export interface ApiClientParts {
  readonly server: ServerAccess;
  readonly appId: string;
  readonly pair: KeyPair;
  readonly now: () => number;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

const TIMEOUT_MS = 30_000;
/** When a server that has answered before is asked again. */
const RETRY_AFTER_MS = 2_000;
/** A page of 1,000 dead letters has half a megabyte. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

export function createApiClient({ server, appId, pair, now }: ApiClientParts): ApiClient {
  const key = signingKey(pair.secret);
  let hasAnswered = false;

  async function call(
    method: "GET" | "POST",
    route: string,
    params: Readonly<Record<string, string | undefined>>,
    body: string,
  ): Promise<Fields> {
    const url = new URL(`${server.base}/apps/${encodeURIComponent(appId)}/webhooks${route}`);
    url.search = signedQuery(method, url.pathname, params, body);
    const answer = await send(method, url, body);
    return readAnswer(answer, server.base);
  }

  function signedQuery(
    method: string,
    path: string,
    params: Readonly<Record<string, string | undefined>>,
    body: string,
  ): string {
    const all: Record<string, string> = {
      auth_key: pair.key,
      auth_timestamp: String(Math.floor(now() / 1_000)),
      auth_version: AUTH_VERSION,
      ...(body === "" ? {} : { body_md5: bodyMd5(Buffer.from(body)) }),
    };
    for (const [name, value] of Object.entries(params)) {
      if (value !== undefined) all[name] = value;
    }
    const pairs = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
    const signed = pairs.map(([name, value]) => `${name}=${value}`).join("&");
    const signature = sign(key, apiContent(method, path, signed));
    const sent = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    return `${sent}&auth_signature=${signature}`;
  }

  async function send(method: string, url: URL, body: string): Promise<Answer> {
    const { certificate } = server;
    const options: RequestOptions & Record<string, unknown> = {
      method,
      headers: body === "" ? {} : { "content-type": "application/json" },
      timeout: TIMEOUT_MS,
      // The very certificate that the server was given, under whatever name it is reached from here.
      ...(certificate !== undefined && {
        ca: certificate,
        allowPartialTrustChain: true,
        checkServerIdentity: () => undefined,
      }),
    };
    try {
      const answer = await exchange(url, options, body);
      hasAnswered = true;
      return answer;
    } catch (error) {
      throw unreachable(server.base, error, hasAnswered ? RETRY_AFTER_MS : undefined);
    }
  }

  return {
    get: (route, params = {}) => call("GET", route, params, ""),
    post: (route, body) => call("POST", route, {}, JSON.stringify(body)),
  };
}

async function exchange(url: URL, options: RequestOptions, body: string): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = url.protocol === "https:" ? httpsRequest : httpRequest;
    const sent = request(url, options, resolve);
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${TIMEOUT_MS / 1_000} s`)));
    sent.on("error", reject);
    sent.end(body);
  });
  const bytes = await readBounded(response, MAX_ANSWER_BYTES);
  if (bytes === undefined) throw new Error("its answer is too long to be one of Pipit");
  const retryAfter = response.headers["retry-after"];
  return { status: response.statusCode ?? 0, text: bytes.toString(), retryAfter };
}

function unreachable(base: string, error: unknown, retryAfterMs?: number): CommandFailure {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = error instanceof Error ? error.message : String(error);
  if (code === "ECONNREFUSED") {
    return new CommandFailure(
      2,
      `Nothing listens at ${base}: is the server running? --url names another place.`,
      retryAfterMs,
    );
  }
  return new CommandFailure(
    2,
    `${base} cannot be asked (${code || text}): is this the server? --url names another place.`,
    retryAfterMs,
  );
}

function readAnswer({ status, text, retryAfter }: Answer, base: string): Fields {
  const json = parse(text);
  if (status === 200 && json !== undefined) return json;
  const said =
    typeof json?.error === "string" ? json.error : `status ${status}, no answer of Pipit`;
  switch (status) {
    case 409:
      throw new CommandFailure(1, `Refused, nothing was changed: ${said}`);
    case 404:
      throw new CommandFailure(1, `${said} (asked at ${base})`);
    case 401:
      throw new CommandFailure(
        2,
        `${base} refuses the signature: ${said} Does the server run with this key and secret?`,
      );
    case 429:
    case 502:
    case 503:
    case 504:
      throw new CommandFailure(
        2,
        `${base} cannot answer now: ${said}`,
        Number(retryAfter ?? 1) * 1_000,
      );
    default:
      throw new CommandFailure(2, `${base} answers ${status}: ${said}`);
  }
}

function parse(text: string): Fields | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? (json as Fields) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
