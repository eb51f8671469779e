/** A server as a child process, bound to one core. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface ServerProcess {
  readonly pid: number;
  /** Sends SIGTERM; after a while SIGKILL. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 8_000;

/** Resolves once `port` accepts connections. `core`: the only one it may use; undefined is any. */
export async function startServer(
  args: readonly string[],
  port: number,
  core?: number,
): Promise<ServerProcess> {
  const node = [process.execPath, ...args];
  // exec by taskset: the process is Node's.
  const [program = "", ...rest] =
    core === undefined ? node : ["taskset", "--cpu-list", String(core), ...node];
  const child = spawn(program, rest, { stdio: ["ignore", "ignore", "inherit"] });
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
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
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
