/** A port for a snippet that has one written into it. */

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

/** Free when it was looked for; whoever needs it takes it at once. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
