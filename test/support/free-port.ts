/** Ports for processes that cannot be asked which one they took, or that come back on the same one. */
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems give to outgoing connections: such a one could take it at any moment. */
const FIRST = 18_000;
const PORTS = 14_000;
const MOST_TRIES = 100;

/** A port that nobody listens on, and that is not given away while its user is being started again. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const port = FIRST + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error(`No free port was found from ${FIRST} to ${FIRST + PORTS - 1}.`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, "127.0.0.1");
    await once(probe, "listening");
  } catch {
    return false;
  }
  probe.close();
  await once(probe, "close");
  return true;
}
