/** Finished requests to the HTTP API, as a server library would sign them. Good for ten minutes. */
import { createHash, createHmac } from "node:crypto";
import type { Endpoint } from "./endpoint.ts";

/** `route`: what follows the app's path, such as `/events`. */
export function signedPost(endpoint: Endpoint, route: string, body: unknown): Buffer {
  const { host, port, appId, key, secret } = endpoint;
  const text = JSON.stringify(body);
  const path = `/apps/${appId}${route}`;
  const md5 = createHash("md5").update(text).digest("hex");
  const nowS = Math.floor(Date.now() / 1_000);
  const query = `auth_key=${key}&auth_timestamp=${nowS}&auth_version=1.0&body_md5=${md5}`;
  const signature = createHmac("sha256", secret).update(`POST\n${path}\n${query}`).digest("hex");
  return Buffer.from(
    `POST ${path}?${query}&auth_signature=${signature} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
