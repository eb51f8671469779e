/** A node as users run it, from dist/, which keeps its ports and its configuration through kills and restarts. */
import { existsSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { ConfigInput } from "../../src/config/config.ts";
import { freePort } from "../support/free-port.ts";
import { sendSigned } from "../support/http-request.ts";
import { listening, type PipitProcess, spawnPipit } from "../support/pipit-process.ts";
import { until } from "../support/until.ts";

export interface ChaosNode {
  readonly name: string;
  readonly port: number;
  readonly isRunning: boolean;
  /** Resolves when it is ready. `changed` replaces its configuration from now on. */
  start(changed?: ConfigInput): Promise<void>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when it is gone, rejects unless it ends well. */
  stop(): Promise<void>;
  /** SIGSTOP, until {@link thaw}. */
  freeze(): void;
  thaw(): void;
  /** Channels with changes that Redis has not acknowledged; undefined when it cannot say. */
  backlog(): Promise<number | undefined>;
  /** Names of occupied channels; undefined when it cannot say. */
  channels(): Promise<readonly string[] | undefined>;
  /** Resident memory, bytes; 0 while it does not run. */
  memoryBytes(): number;
  /** What the present process has printed. */
  output(): string;
}

/** Redis may be away meanwhile, and the machine busy. */
const READY_WITHIN_MS = 60_000;
const ANSWERS_WITHIN_MS = 1_000;
const BACKLOG = /^pipit_state_backlog_channels\{[^}]*\} (\d+)$/m;

/** Does not start it. */
export async function createNode(
  t: TestContext,
  name: string,
  initial: ConfigInput,
): Promise<ChaosNode> {
  const port = await freePort();
  const metricsPort = await freePort();
  let config = initial;
  let child: PipitProcess | undefined;

  async function get(path: string): Promise<Response | undefined> {
    const signal = AbortSignal.timeout(ANSWERS_WITHIN_MS);
    const url = `http://127.0.0.1:${metricsPort}${path}`;
    return fetch(url, { signal }).catch(() => undefined); // it is dead, frozen or busy
  }

  async function end(signal: "SIGKILL" | "SIGTERM"): Promise<number | undefined> {
    const ending = child;
    child = undefined;
    ending?.kill(signal);
    return ending?.exitCode();
  }

  return {
    name,
    port,
    get isRunning() {
      return child !== undefined;
    },
    async start(changed = config) {
      config = changed;
      const all = { ...config, port, metrics: { port: metricsPort } };
      const started = spawnPipit(t, all, { isBuilt: true });
      await listening(started, READY_WITHIN_MS);
      await until(
        `${name} is ready`,
        async () => (await get("/health/ready"))?.ok,
        READY_WITHIN_MS,
      );
      child = started;
    },
    async kill() {
      await end("SIGKILL");
    },
    async stop() {
      const code = await end("SIGTERM");
      if (code !== 0) throw new Error(`${name} has ended with ${code}.`);
    },
    freeze: () => child?.kill("SIGSTOP"),
    thaw: () => child?.kill("SIGCONT"),
    async backlog() {
      const text = await (await get("/metrics"))?.text().catch(() => undefined);
      const found = BACKLOG.exec(text ?? "")?.[1];
      return found === undefined ? undefined : Number(found);
    },
    async channels() {
      const request = { method: "GET", path: "/channels" } as const;
      const reply = await sendSigned(port, request).catch(() => undefined);
      if (reply?.status !== 200) return undefined;
      return Object.keys((reply.json as { channels: object }).channels);
    },
    memoryBytes: () => residentBytes(child?.pid),
    output: () => child?.output() ?? "",
  };
}

function residentBytes(pid: number | undefined): number {
  const file = `/proc/${pid}/status`;
  if (pid === undefined || !existsSync(file)) return 0;
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(file, "utf8")) ?? [];
  return Number(kilobytes ?? 0) * 1_024;
}
