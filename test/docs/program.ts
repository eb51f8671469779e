/** Runs a snippet of the documents as its reader would: in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { until } from "../support/until.ts";
import { ROOT } from "./pages.ts";

export interface Program {
  /** Everything written so far, to both streams. */
  output(): string;
  /** Waits until the output has `text`. */
  says(text: string | RegExp): Promise<void>;
  /** Waits until it has ended by itself. */
  exitCode(): Promise<number>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** JavaScript, as in a file in the project's folder. */
export function runModule(t: TestContext, code: string): Program {
  const child = spawn(process.execPath, ["--input-type=module", "-"], { cwd: ROOT });
  child.stdin.end(code);
  return watched(t, child);
}

export function runCommand(t: TestContext, command: string, args: readonly string[]): Program {
  return watched(t, spawn(command, args, { cwd: ROOT }));
}

function watched(t: TestContext, child: ChildProcess): Program {
  const exited = once(child, "exit");
  const kill = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  t.after(kill);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return {
    output: () => output,
    kill,
    async says(text) {
      const isSaid = () => (typeof text === "string" ? output.includes(text) : text.test(output));
      await until(`the snippet says ${text}`, () => {
        if (!isSaid() && child.exitCode !== null) {
          throw new Error(`It ended with ${child.exitCode} without saying ${text}:\n${output}`);
        }
        return isSaid();
      });
    },
    exitCode: () =>
      until("the snippet ends", () => child.exitCode ?? false).catch((error: unknown) => {
        throw new Error(`It goes on and on:\n${output}`, { cause: error });
      }),
  };
}
