/**
 * The programs that tests need and npm cannot bring. They are found, or installed where that is possible, or
 * the run stops and says how to install them: a test that is skipped in silence is worse than none.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Runner } from "./command.ts";

export interface Program {
  readonly name: string;
  /** Any of these will do. */
  readonly binaries: readonly string[];
  /** The Debian package. */
  readonly debianPackage: string;
  /** The areas of tests that use it. */
  readonly areas: readonly string[];
}

/** Tests take the first on the PATH: put another one's folder there, and they run against that. */
export const REDIS: Program = {
  name: "Redis",
  binaries: ["redis-server"],
  debianPackage: "redis-server",
  areas: ["unit", "cluster", "faults", "chaos", "demo"],
};

export const CHROMIUM: Program = {
  name: "Chromium",
  binaries: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  debianPackage: "chromium",
  areas: ["browser"],
};

/** The receivers that the documentation shows run in their own languages. */
export const PHP: Program = {
  name: "PHP",
  binaries: ["php"],
  debianPackage: "php-cli",
  areas: ["unit"],
};

export const PYTHON: Program = {
  name: "Python 3",
  binaries: ["python3"],
  debianPackage: "python3",
  areas: ["unit"],
};

/** Makes the certificates of the TLS tests. */
export const OPENSSL: Program = {
  name: "OpenSSL",
  binaries: ["openssl"],
  debianPackage: "openssl",
  areas: ["unit", "integration"],
};

/** Reads the alerts that come with the documentation, as Prometheus does. */
export const PROMTOOL: Program = {
  name: "promtool",
  binaries: ["promtool"],
  debianPackage: "prometheus",
  areas: ["unit"],
};

export const PROGRAMS: readonly Program[] = [REDIS, CHROMIUM, PHP, PYTHON, OPENSSL, PROMTOOL];

/** Where the program is, or undefined. */
export function findProgram(
  { binaries }: Program,
  path: string = process.env.PATH ?? "",
): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  return binaries
    .flatMap((binary) => folders.map((folder) => join(folder, binary)))
    .find(isExecutable);
}

/** Where the program is. Throws with the command that installs it. */
export function programPath(program: Program): string {
  const found = findProgram(program);
  if (found === undefined) throw new Error(missingProgramsText([program]));
  return found;
}

/** Installs those that are missing where this is root on Debian; else throws with the command to run. */
export async function ensurePrograms(wanted: readonly Program[], runner: Runner): Promise<void> {
  const missing = wanted.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) return;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync("/etc/debian_version")) throw new Error(missingProgramsText(missing));

  const packages = missing.map(({ debianPackage }) => debianPackage);
  console.log(`Installing ${packages.join(", ")} with apt-get.`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const steps = [
    ["update", "-q"],
    ["install", "-q", "-y", "--no-install-recommends", ...packages],
  ];
  for (const args of steps) {
    const { exitCode } = await runner.run("apt-get", args, { env, isQuiet: true });
    if (exitCode !== 0) throw new Error(`apt-get ${args.join(" ")} failed with ${exitCode}.`);
  }
  const stillMissing = missing.filter((program) => findProgram(program) === undefined);
  if (stillMissing.length > 0) throw new Error(missingProgramsText(stillMissing));
}

/** What to do about programs that are not here. */
export function missingProgramsText(missing: readonly Program[]): string {
  const names = missing.map(({ name, binaries }) => `${name} (${binaries.join(" or ")})`);
  const packages = missing.map(({ debianPackage }) => debianPackage).join(" ");
  return `Tests need ${names.join(" and ")} on the PATH. On Debian and Ubuntu:\n  sudo apt-get update && sudo apt-get install -y ${packages}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // absent, or not ours to run: both mean that it is not here
  }
}
