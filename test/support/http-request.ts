/** Signed requests to the HTTP API without the server library, so that tests can send what it never would. */
import { createHash } from "node:crypto";
import { type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { hmac } from "./commands.ts";
import { APP } from "./pipit.ts";

export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed body, undefined when it is no JSON. */
  readonly json: unknown;
}

export interface SignedRequest {
  readonly method?: string;
  /** Below `/apps/{id}`, such as `/events`, unless it begins with `//`, which stands for the root. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as it is when it is text or bytes, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly secret?: string;
  /** Seconds. */
  readonly timestamp?: number;
  /** `body_md5` where it is not the body's own; null leaves it out. */
  readonly md5?: string | null;
  /** Sends the body in pieces with `Transfer-Encoding: chunked`. */
  readonly isChunked?: boolean;
  /** Changes the signed target before it is sent. */
  readonly tamper?: (target: string) => string;
}

/** Path and query, signed as protocol.md §6.1 says. */
export function signedTarget({
  method = "POST",
  path,
  query = {},
  body,
  key = APP.key,
  secret = APP.secret,
  timestamp = Math.floor(Date.now() / 1_000),
  md5,
  tamper = (target) => target,
}: SignedRequest): string {
  const bytes = bodyBytes(body);
  const digest = md5 === undefined && bytes.length > 0 ? md5Of(bytes) : (md5 ?? undefined);
  const params: Record<string, string> = {
    ...query,
    auth_key: key,
    auth_timestamp: String(timestamp),
    auth_version: "1.0",
    ...(digest === undefined ? {} : { body_md5: digest }),
  };
  const pairs = Object.entries(params).sort(([a], [b]) =>
    a.toLowerCase() < b.toLowerCase() ? -1 : 1,
  );
  const full = path.startsWith("//") ? path.slice(1) : `/apps/${APP.id}${path}`;
  const content = pairs.map(([name, value]) => `${name.toLowerCase()}=${value}`).join("&");
  const sent = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return tamper(`${full}?${sent}&auth_signature=${hmac(`${method}\n${full}\n${content}`, secret)}`);
}

/** Signs, sends and waits for the whole answer. */
export function sendSigned(port: number, options: SignedRequest): Promise<HttpReply> {
  const { method = "POST", body, headers = {}, isChunked = false } = options;
  const bytes = bodyBytes(body);
  return send(port, method, signedTarget(options), headers, isChunked ? pieces(bytes) : bytes);
}

/** Sends a request as it is. A body given in pieces goes out chunked. */
export function send(
  port: number,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body: Buffer | readonly Buffer[] = Buffer.alloc(0),
): Promise<HttpReply> {
  const isWhole = Buffer.isBuffer(body);
  const length =
    isWhole && (body.length > 0 || method === "POST") ? { "Content-Length": body.length } : {};
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, method, path: target, headers: { ...length, ...headers } },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0, headers: received } = incoming;
          resolve({ status: statusCode, headers: received, text, json: parsed(text) });
        });
      },
    );
    outgoing.on("error", reject);
    if (isWhole) outgoing.end(body);
    else {
      for (const piece of body) outgoing.write(piece);
      outgoing.end();
    }
  });
}

/**
 * Writes each piece to a bare TCP socket in its own packet, and gives all that comes back until the server
 * closes or `isEnough`. `endsAfter`: says then that nothing more will come, so that the server waits for nothing.
 */
export async function sendBytes(
  t: TestContext,
  port: number,
  parts: readonly (Buffer | string)[],
  isEnough: (answer: string) => boolean = (answer) => answer.includes("\r\n\r\n"),
  endsAfter = false,
): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.setNoDelay(true);
  t.after(() => socket.destroy());
  let answer = "";
  const answered = new Promise<string>((resolve) => {
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (isEnough(answer)) resolve(answer);
    });
    // A reset is one of the ways in which a server may refuse.
    socket.on("error", () => resolve(answer));
    socket.on("close", () => resolve(answer));
  });
  for (const part of parts) {
    if (socket.destroyed) break;
    await new Promise<void>((resolve) => socket.write(part, () => resolve()));
  }
  if (endsAfter) socket.end();
  const all = await answered;
  socket.destroy();
  return all;
}

function bodyBytes(body: unknown): Buffer {
  if (body === undefined) return Buffer.alloc(0);
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

function pieces(bytes: Buffer): readonly Buffer[] {
  const size = Math.max(1, Math.ceil(bytes.length / 5));
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return parts;
}

function md5Of(bytes: Buffer): string {
  return createHash("md5").update(bytes).digest("hex");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
