/** Where a figure comes from: machine, versions and commit. */
import { execFileSync } from "node:child_process";
import { cpus, release } from "node:os";

export type Machine = Readonly<Record<string, string>>;

/** `versions`: besides Node's, by name. In the project's folder. */
export function machineOf(versions: Readonly<Record<string, string>>): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: String(cpus().length),
    kernel: release(),
    node: process.versions.node,
    ...versions,
    commit: commit(),
  };
}

export function machineText(machine: Machine): string {
  return Object.entries(machine)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { encoding: "utf8" }).trim();
  try {
    const isChanged = git("status", "--porcelain", "--", "src") !== "";
    return git("rev-parse", "--short", "HEAD") + (isChanged ? " with changes" : "");
  } catch {
    return "unknown";
  }
}
