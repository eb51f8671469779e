/**
 * Looks from time to time whether Redis can keep what it is given: state and webhooks live in it, so it must
 * refuse when it is full, never throw away. Source: architecture.md §5, Bounds.
 */
import type { Log } from "../protocol/log.ts";
import type { RedisMemory } from "./memory.ts";

export interface MemoryWatch {
  /** Looks now, and then every so often. Never rejects. */
  start(): Promise<void>;
  close(): void;
  /** What each master said last. */
  latest(): readonly RedisMemory[];
  /** What is wrong with it, in sentences for operators. */
  problems(): readonly string[];
}

export interface MemoryWatchParts {
  readonly read: () => Promise<readonly RedisMemory[]>;
  readonly log: Log;
  readonly everyMs?: number;
}

const LOOK_EVERY_MS = 10_000;

/** Above this share of `maxmemory` somebody should look. */
const FULL_FROM = 0.8;

export function createMemoryWatch({
  read,
  log,
  everyMs = LOOK_EVERY_MS,
}: MemoryWatchParts): MemoryWatch {
  let latest: readonly RedisMemory[] = [];
  let told = "";
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  async function look(): Promise<void> {
    // While Redis is away what it said last stands: that it is away is told elsewhere.
    latest = await read().catch(() => latest);
    const problems = memoryProblems(latest).join(" ");
    if (problems === told) return;
    told = problems;
    if (problems === "") log.info({}, "redis has memory to spare again");
    else log.warn({ reason: problems }, "redis may lose or refuse data");
  }

  return {
    async start() {
      await look();
      if (!isClosed) timer = setInterval(() => void look(), everyMs);
    },
    close() {
      isClosed = true;
      clearInterval(timer);
    },
    latest: () => latest,
    problems: () => memoryProblems(latest),
  };
}

/** Each sentence once, however many masters it is true of. */
export function memoryProblems(masters: readonly RedisMemory[]): readonly string[] {
  const problems = new Set<string>();
  for (const { policy, usedBytes, maxBytes } of masters) {
    if (policy !== "noeviction") {
      problems.add(
        `Redis has maxmemory-policy ${policy} and may throw away state and webhooks: set it to noeviction.`,
      );
    }
    if (maxBytes > 0 && usedBytes > maxBytes * FULL_FROM) {
      problems.add(
        `Redis uses more than ${FULL_FROM * 100} % of its maxmemory: when it is full, webhooks and state can no longer be written.`,
      );
    }
  }
  return [...problems];
}
