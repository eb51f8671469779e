/**
 * `npm run demo`: a server, an app's backend and two clients on this machine, talking.
 *
 *   npm run demo               ends by itself: with 0, or with 1 and what did not come
 *   npm run demo -- --stay     the same, but the server stays until Ctrl-C
 */
import { runDemo } from "./run-demo.ts";

const INTERRUPTED = 130;

/** What Ctrl-C does: nothing is worth finishing while the story is told. */
let onSignal = (): void => process.exit(INTERRUPTED);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => onSignal());

const untilSignal = (): Promise<void> =>
  new Promise((resolve) => {
    onSignal = resolve;
  });

try {
  await runDemo({
    write: (text) => process.stdout.write(text),
    beforeStop: process.argv.includes("--stay") ? untilSignal : undefined,
  });
  process.stdout.write("\nEverything came, and every kind of webhook was verified.\n");
} catch (error) {
  process.exitCode = 1;
  const what = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\nThe demo failed: ${what}\n`);
}
