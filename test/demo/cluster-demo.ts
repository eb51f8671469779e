/**
 * `npm run demo:cluster`: two nodes and a Redis on this machine, clients on both, and one node killed.
 *
 * Ends by itself: with 0, or with 1 and what did not come, or came too often.
 */
import { runClusterDemo } from "./cluster-stage.ts";

const INTERRUPTED = 130;

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => process.exit(INTERRUPTED));
}

try {
  await runClusterDemo((text) => process.stdout.write(text));
  process.stdout.write(
    "\nEverything came, once, and nothing else: the two nodes were one server.\n",
  );
} catch (error) {
  process.exitCode = 1;
  const what = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\nThe demo failed: ${what}\n`);
}
