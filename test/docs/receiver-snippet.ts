/** Runs a webhook receiver of the documents, in its own language, as its reader would. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { until } from "../support/until.ts";
import { PHP, PYTHON, programPath } from "../tools/programs.ts";
import { type Program, runCommand, runModule } from "./program.ts";

export type Language = "js" | "php" | "python";

export interface ReceiverSnippet {
  /** Where it takes webhooks. */
  readonly url: string;
  /** Starts it and waits until it listens. Again after it was killed: what it keeps in files is still there. */
  start(): Promise<Program>;
}

/** `code` listens on 8000 as it stands, and here on `port`; the app's key pair becomes that of the tests. */
export function receiverSnippet(
  t: TestContext,
  language: Language,
  code: string,
  port: number,
): ReceiverSnippet {
  const url = `http://127.0.0.1:${port}/webhooks`;
  const filled = code
    .replaceAll("8000", String(port))
    .replaceAll("pipit-key", "test-key")
    .replaceAll("pipit-secret", "test-secret");
  const folder = mkdtempSync(join(tmpdir(), "pipit-docs-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, `receiver.${language}`);
  writeFileSync(file, filled);

  function run(): Program {
    if (language === "js") return runModule(t, filled);
    if (language === "python") return runCommand(t, programPath(PYTHON), [file]);
    return runCommand(t, programPath(PHP), ["-S", `127.0.0.1:${port}`, file]);
  }

  return {
    url,
    async start() {
      const program = run();
      // What is sent has no signature and changes nothing.
      const isUp = () =>
        fetch(url, { method: "POST", body: "{}" }).then(
          () => true,
          () => false,
        );
      await until(`the receiver listens: ${program.output()}`, isUp);
      return program;
    },
  };
}
