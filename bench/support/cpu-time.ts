/** What a process has cost so far. Linux only: read from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * CPU time of all threads of a process so far, user and system, in µs. Threads that have ended are left out:
 * Node keeps its own for as long as it runs.
 */
export function cpuUsOf(pid: number): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    // In ns, where the columns of /proc/<pid>/stat count in steps of 10 ms.
    ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  return ns / 1_000;
}

/** How long the main thread of a process has waited for a core so far, though it could have run, in µs. */
export function waitedUsOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ")[1]) / 1_000;
}

/** Resident memory of a process in bytes. */
export function rssOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb) * 1_024;
}
