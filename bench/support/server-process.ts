/** A server as a child process, and what it costs. Linux only: costs are read from /proc. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface ServerProcess {
  readonly pid: number;
  /** CPU time so far in µs, of all its threads, user and system. The kernel counts in steps of 10 ms. */
  cpuUs(): number;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 15_000;
/** What /proc counts in: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

/** Resolves once `port` accepts connections. */
export async function startServer(args: readonly string[], port: number): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`Could not start ${args.join(" ")}.`);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const deadlineMs = Date.now() + START_TIMEOUT_MS;
  while (!(await isOpen(port))) {
    if (child.exitCode !== null || Date.now() > deadlineMs) {
      kill();
      throw new Error(`${args.join(" ")} does not listen on ${port}.`);
    }
    await delay(50);
  }
  return {
    pid,
    cpuUs() {
      // The name in the second field may hold spaces: fields count from behind it.
      const [, fields = ""] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      const [user, system] = fields.split(" ").slice(11, 13).map(Number);
      return ((user ?? 0) + (system ?? 0)) * TICK_US;
    },
    async stop() {
      process.off("exit", kill);
      await stopChild(child);
    },
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 3_000);
  await ended;
  clearTimeout(timer);
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  holder.close();
  if (address === null || typeof address === "string") throw new Error("No free port.");
  return address.port;
}
