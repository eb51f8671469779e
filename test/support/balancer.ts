/** A load balancer as plain as can be: each new connection goes to the next node in service. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export interface Balancer {
  readonly port: number;
  /** Gives the node at `port` no new connection; those that it has stay. */
  takeOut(port: number): void;
  putIn(port: number): void;
}

/** `t` may be anything that collects what is to be done at the end. */
export async function startBalancer(
  t: Pick<TestContext, "after">,
  ports: readonly number[],
): Promise<Balancer> {
  const inService = [...ports];
  const open = new Set<Socket>();
  let turn = 0;
  const server = createServer((client) => {
    const port = inService[turn++ % inService.length];
    if (port === undefined) return void client.destroy();
    const node = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, node],
      [node, client],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on("error", () => {});
      from.on("close", () => {
        open.delete(from);
        // What has come from one side is still to be read by the other.
        to.end();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("A port has no number.");
  return {
    port: address.port,
    takeOut(port) {
      const at = inService.indexOf(port);
      if (at !== -1) inService.splice(at, 1);
    },
    putIn: (port) => void inService.push(port),
  };
}
