/** Runs a program to its end: its output is shown as it comes, and it never outlives this process. */
import { type ChildProcess, spawn } from "node:child_process";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** After this long it is killed and counts as failed. */
  readonly timeoutMs?: number;
  /** Hears standard output besides the terminal. */
  readonly onOutput?: (text: string) => void;
  /** Standard output is only heard, not shown. */
  readonly isQuiet?: boolean;
}

export interface CommandResult {
  /** 0 when all went well; 124 after a timeout; 128 and more when it was killed. */
  readonly exitCode: number;
  readonly durationMs: number;
}

export interface Runner {
  run(program: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Kills what is running, with its children. */
  stop(): void;
}

export function createRunner(): Runner {
  const running = new Set<ChildProcess>();

  /** Each child leads a process group of its own, so that grandchildren go with it. */
  function kill(child: ChildProcess, signal: NodeJS.Signals): void {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  return {
    run(program, args, { cwd, env, timeoutMs, onOutput, isQuiet = false } = {}) {
      return new Promise((resolve, reject) => {
        const startedMs = performance.now();
        const child = spawn(program, args, {
          cwd,
          env: env ?? process.env,
          detached: true,
          stdio: ["ignore", "pipe", "inherit"],
        });
        running.add(child);
        let isTimedOut = false;
        const timer =
          timeoutMs === undefined
            ? undefined
            : setTimeout(() => {
                isTimedOut = true;
                kill(child, "SIGKILL");
              }, timeoutMs);
        child.stdout.setEncoding("utf8");
        child.stdout.on("data", (text: string) => {
          if (!isQuiet) process.stdout.write(text);
          onOutput?.(text);
        });
        const finish = () => {
          clearTimeout(timer);
          running.delete(child);
        };
        child.once("error", (error) => {
          finish();
          reject(error);
        });
        child.once("close", (code, signal) => {
          finish();
          const exitCode = isTimedOut ? 124 : (code ?? (signal === "SIGINT" ? 130 : 137));
          resolve({ exitCode, durationMs: performance.now() - startedMs });
        });
      });
    },
    stop() {
      for (const child of running) kill(child, "SIGTERM");
    },
  };
}

/** Ctrl-C and SIGTERM end this process, and what it runs before. */
export function stopOnSignals(runner: Runner, cleanUp: () => void = () => {}): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      runner.stop();
      cleanUp();
      process.exit(130);
    });
  }
}
