/** The root file system of another Debian release in a folder, made by debootstrap and removed afterwards. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CommandResult, Runner } from "./command.ts";
import type { Program } from "./programs.ts";

export const DEBOOTSTRAP: Program = {
  name: "debootstrap",
  binaries: ["debootstrap"],
  debianPackage: "debootstrap",
  areas: [],
};

export interface DebianRoot {
  readonly path: string;
  /** Fills the folder. Needs root and takes half a minute. */
  bootstrap(): Promise<void>;
  /** Runs a program inside, with `path` as its `/`. */
  run(program: string, args: readonly string[], timeoutMs: number): Promise<CommandResult>;
  /**
   * Writes `file`, which runs `program` of this root with this root's libraries, and yet outside: it sees the
   * files and ports of the machine, and signals reach it. `program` is a path inside, `/usr/bin/redis-server`.
   */
  expose(program: string, file: string): void;
  /** Unmounts and deletes everything. May be called more than once. */
  remove(): void;
}

const BOOTSTRAP_TIMEOUT_MS = 480_000;

/** With `packages` besides the least that Debian needs; they come from where this machine has its own. */
export function createDebianRoot(
  release: string,
  packages: readonly string[],
  runner: Runner,
): DebianRoot {
  const path = mkdtempSync(join(tmpdir(), `pipit-${release}-`));
  const proc = join(path, "proc");
  return {
    path,
    async bootstrap() {
      if (process.getuid?.() !== 0) {
        throw new Error("A Debian root needs root: sudo npm run test:platforms");
      }
      const include = `--include=${packages.join(",")}`;
      const { exitCode } = await runner.run(
        "debootstrap",
        ["--variant=minbase", include, release, path, mirror()],
        { timeoutMs: BOOTSTRAP_TIMEOUT_MS, isQuiet: true },
      );
      if (exitCode !== 0) throw new Error(`debootstrap ${release} failed with ${exitCode}.`);
      if (!isMounted(proc)) execFileSync("mount", ["-t", "proc", "proc", proc]);
    },
    run(program, args, timeoutMs) {
      const env = {
        PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: "/root",
        LANG: "C.UTF-8",
      };
      return runner.run("chroot", [path, program, ...args], { env, timeoutMs });
    },
    expose(program, file) {
      const loader = findLoader(path);
      const command = [loader, "--library-path", dirname(loader), join(path, program)];
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o755 });
    },
    remove() {
      if (isMounted(proc)) execFileSync("umount", [proc]);
      // Deleting through a mount would reach into the kernel's own files.
      if (isMounted(proc)) throw new Error(`${proc} is still mounted: umount it, delete ${path}.`);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** The loader of dynamic libraries, which stands among them: `usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2`. */
function findLoader(root: string): string {
  const libraries = join(root, "usr", "lib");
  for (const folder of readdirSync(libraries).filter((name) => name.endsWith("-linux-gnu"))) {
    const name = readdirSync(join(libraries, folder)).find((file) => file.startsWith("ld-linux-"));
    if (name !== undefined) return join(libraries, folder, name);
  }
  throw new Error(`There is no dynamic loader in ${libraries}.`);
}

function isMounted(path: string): boolean {
  return readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[1] === path);
}

/** Where this machine gets Debian's packages, from either form of apt's sources. Never printed. */
function mirror(): string {
  const folder = "/etc/apt/sources.list.d";
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  for (const file of ["/etc/apt/sources.list", ...files]) {
    if (!/\.(?:list|sources)$/.test(file) || !existsSync(file)) continue;
    for (const line of readFileSync(file, "utf8").split("\n")) {
      const url = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)/.exec(line)?.[1];
      if (url !== undefined && /\/debian\/?$/.test(url)) return url;
    }
  }
  return "https://deb.debian.org/debian";
}
