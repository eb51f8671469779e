/** Where a server under load is, and the app that the load belongs to. */

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly appId: string;
  readonly key: string;
  readonly secret: string;
}

export type BenchApp = Pick<Endpoint, "appId" | "key" | "secret">;

/** The app of the servers that a bench starts itself. */
export const BENCH_APP: BenchApp = { appId: "1", key: "bench-key", secret: "bench-secret" };

/** A second one on the same servers: nothing of it meets the first. */
export const OTHER_APP: BenchApp = { appId: "2", key: "other-key", secret: "other-secret" };

/** `url`: `http://host:port` of any server that speaks the protocol. Plain only: TLS would be measured too. */
export function readEndpoint(
  url: string,
  app: { readonly appId: string; readonly key: string; readonly secret: string },
): Endpoint {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== "http:" && protocol !== "ws:") {
    throw new Error(`--target is ${JSON.stringify(url)}, a URL that begins http:// is needed.`);
  }
  return { host: hostname, port: Number(port || 80), ...app };
}
