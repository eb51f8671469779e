/** Stands between a client and a server, and can be cut, or fall silent while its connections look alive. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export interface TcpRelay {
  readonly port: number;
  /** Connections so far. */
  readonly connections: number;
  /** What the server sends to the relay's port `port` no longer arrives at the client behind it. */
  deafen(port: number): void;
  /** Ends all connections, and each new one at once, until {@link mend}. */
  cut(): void;
  mend(): void;
}

export async function startTcpRelay(
  t: Pick<TestContext, "after">,
  serverPort: number,
): Promise<TcpRelay> {
  const pairs: { readonly client: Socket; readonly server: Socket }[] = [];
  let isCut = false;
  const relay = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const server = connect(serverPort, "127.0.0.1");
    pairs.push({ client, server });
    client.pipe(server);
    server.pipe(client);
    for (const socket of [client, server]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(relay, "listening");
  t.after(() => {
    for (const { client } of pairs) client.destroy();
    relay.close();
  });
  const address = relay.address();
  if (address === null || typeof address === "string") throw new Error("A port has no number.");
  return {
    port: address.port,
    get connections() {
      return pairs.length;
    },
    cut() {
      isCut = true;
      for (const { client } of pairs) client.destroy();
    },
    mend() {
      isCut = false;
    },
    deafen(port) {
      for (const { client, server } of pairs) {
        if (server.localPort !== port) continue;
        server.unpipe(client);
        server.resume();
      }
    },
  };
}
