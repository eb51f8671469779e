/** How much memory is in use, against what this process may have. */
import { totalmem } from "node:os";
import type { MemoryUse } from "./http/health-routes.ts";

/** In a container the limit of the container, else the machine's memory. */
export function memoryUse(): MemoryUse {
  const constrained = process.constrainedMemory();
  const machine = totalmem();
  // Where there is no limit the answer is 0 or larger than any machine.
  const totalBytes = constrained > 0 && constrained < machine ? constrained : machine;
  return { usedBytes: process.memoryUsage.rss(), totalBytes };
}
