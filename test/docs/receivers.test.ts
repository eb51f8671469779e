/** The webhook receivers of the README take what Pipit sends, and nothing that it did not send. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { type Program as Installed, programPath } from "../tools/programs.ts";
import { freePort } from "./free-port.ts";
import { codeBlock, readPage } from "./pages.ts";
import { type Program, runCommand, runModule } from "./program.ts";

const README = readPage("README.md");

/** `npm test` needs them; where one is missing, the test says which package brings it. */
const PHP: Installed = { name: "PHP", binaries: ["php"], debianPackage: "php-cli", areas: [] };
const PYTHON: Installed = {
  name: "Python",
  binaries: ["python3"],
  debianPackage: "python3",
  areas: [],
};

interface Example {
  readonly language: string;
  /** What the snippet names itself. */
  readonly file: string;
  run(t: TestContext, code: string, port: number): Program;
}

const EXAMPLES: readonly Example[] = [
  { language: "js", file: "receiver.mjs", run: (t, code) => runModule(t, code) },
  {
    language: "php",
    file: "receiver.php",
    run: (t, code, port) =>
      runCommand(t, programPath(PHP), ["-S", `127.0.0.1:${port}`, saved(t, "receiver.php", code)]),
  },
  {
    language: "python",
    file: "receiver.py",
    run: (t, code) => runCommand(t, programPath(PYTHON), [saved(t, "receiver.py", code)]),
  },
];

function saved(t: TestContext, name: string, code: string): string {
  const folder = mkdtempSync(join(tmpdir(), "pipit-docs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), code);
  return join(folder, name);
}

/** Waits until something answers there. What is sent has no signature and changes nothing. */
async function untilListening(url: string, program: Program): Promise<void> {
  const isUp = () =>
    fetch(url, { method: "POST", body: "{}" }).then(
      () => true,
      () => false,
    );
  await until(`the receiver listens: ${program.output()}`, isUp);
}

describe("a webhook receiver of the README", () => {
  for (const { language, file, run } of EXAMPLES) {
    test(`in ${language} takes Pipit's webhooks and refuses forged ones`, async (t) => {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}/webhooks`;
      const code = codeBlock(README, language, file)
        .replaceAll("8000", String(port))
        .replaceAll("pipit-key", "test-key")
        .replaceAll("pipit-secret", "test-secret");
      const program = run(t, code, port);
      await untilListening(url, program);

      const pipit = await startPipit(t, { webhooks: [{ url }] });
      const client = await pipit.connect();
      await client.subscribe("room");
      await program.says("channel_occupied room");

      const body = '{"time_ms":1,"events":[{"name":"channel_vacated","channel":"forged"}]}';
      const sign = (text: string) => createHmac("sha256", "test-secret").update(text).digest("hex");

      for (const [key, signature] of [
        ["test-key", sign(`${body} `)],
        ["other-key", sign(body)],
        ["test-key", "0".repeat(64)],
        ["test-key", "é"],
        ["test-key", ""],
      ]) {
        const answer = await fetch(url, {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            "X-Pusher-Key": String(key),
            "X-Pusher-Signature": String(signature),
          },
          body,
        });
        assert.equal(answer.status, 401, `${key} ${signature}`);
      }
      assert.doesNotMatch(program.output(), /forged/);
    });
  }
});
