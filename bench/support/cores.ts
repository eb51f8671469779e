/** Which core the servers run on, and which ones are left for the load. Linux, with taskset (util-linux). */
import { execFileSync } from "node:child_process";

export interface Cores {
  /** For every server of the bench; undefined when nothing can be bound. */
  readonly server: number | undefined;
  /** One line for the results. */
  readonly note: string;
}

const UNBOUND: Cores = {
  server: undefined,
  note: "nothing was bound to a core: taskset is missing, or there is only one core",
};

/** Binds this process, which makes the load, to all cores but one, and answers that one. */
export function divideCores(): Cores {
  try {
    const answer = execFileSync("taskset", ["--cpu-list", "--pid", String(process.pid)], {
      encoding: "utf8",
    });
    const [server, ...load] = listedCores(answer.split(":").at(-1) ?? "");
    if (server === undefined || load.length === 0) return UNBOUND;
    const list = load.join(",");
    execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", list, String(process.pid)]);
    return { server, note: `servers on core ${server}, load on core ${list}` };
  } catch {
    // Not Linux, or no taskset: the figures are noisier, and the results say so.
    return UNBOUND;
  }
}

/** `0-2,5` is 0, 1, 2, 5. */
function listedCores(list: string): readonly number[] {
  return list
    .trim()
    .split(",")
    .flatMap((part) => {
      const [first = Number.NaN, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, n) => first + n);
    })
    .filter(Number.isInteger);
}
