/**
 * `npm run test:platforms`: does Pipit work where it says that it does?
 *
 *   node22     unit and integration tests on Node 22, here
 *   debian13   the built server on Node 24 in a Debian 13 root: start, quick start, a webhook
 *   redis8     everything that stands on a Redis, against Redis 8 of that root, which runs from there here
 *   valkey8    the same against Valkey 8
 *
 * Names as arguments choose. Needs Linux; all but node22 need root and debootstrap. Leaves nothing behind.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findRedisTests } from "./areas.ts";
import { createRunner, type Runner, stopOnSignals } from "./command.ts";
import { createDebianRoot, DEBOOTSTRAP, type DebianRoot } from "./debian-root.ts";
import { installNode } from "./node-binary.ts";
import { ensurePrograms } from "./programs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TESTS_TIMEOUT_MS = 900_000;
const CHECK_TIMEOUT_MS = 90_000;
/** What Node needs besides itself, and the servers. */
const DEBIAN_PACKAGES = [
  "libstdc++6",
  "libatomic1",
  "ca-certificates",
  "redis-server",
  "valkey-server",
];
const PLATFORMS: Readonly<Record<string, (folder: string) => Promise<void>>> = {
  node22: testOnNode22,
  debian13: checkOnDebian13,
  redis8: (folder) => testOnRedis("/usr/bin/redis-server", /^Redis server v=8\./, folder),
  valkey8: (folder) => testOnRedis("/usr/bin/valkey-server", /^Valkey server v=8\./, folder),
};

const runner = createRunner();
const cleanups: (() => void)[] = [];
let debian13: Promise<DebianRoot> | undefined;
stopOnSignals(runner, cleanUp);
process.exitCode = await main(process.argv.slice(2));

async function main(wanted: readonly string[]): Promise<number> {
  process.chdir(ROOT);
  const unknown = wanted.filter((name) => !(name in PLATFORMS));
  if (unknown.length > 0) {
    console.error(
      `There is no platform ${unknown.join(", ")}: ${Object.keys(PLATFORMS).join(", ")}.`,
    );
    return 1;
  }
  const results: string[] = [];
  let failures = 0;
  for (const [name, check] of Object.entries(PLATFORMS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`\n── ${name} ${"─".repeat(60 - name.length)}`);
    const startedMs = performance.now();
    let problem: string | undefined;
    try {
      await check(temporaryFolder());
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    const seconds = ((performance.now() - startedMs) / 1e3).toFixed(1);
    if (problem !== undefined) failures += 1;
    results.push(`${problem === undefined ? "✔" : "✖"} ${name}  ${seconds} s  ${problem ?? ""}`);
  }
  cleanUp();
  console.log(`\n── summary ${"─".repeat(53)}\n${results.join("\n")}`);
  return failures === 0 ? 0 : 1;
}

async function testOnNode22(folder: string): Promise<void> {
  const node = await installNode(22, folder, runner);
  await runTests(node, dirname(node), ["unit", "integration"]);
}

async function testOnRedis(program: string, version: RegExp, folder: string): Promise<void> {
  const root = await debianRoot();
  const server = join(folder, "redis-server");
  root.expose(program, server);
  const found = execFileSync(server, ["--version"], { encoding: "utf8" }).trim();
  console.log(found);
  if (!version.test(found)) throw new Error(`The root's ${program} is another: ${found}`);
  await runTests(process.execPath, folder, findRedisTests(ROOT));
}

/** With `programs` first on the path, so that whatever the tests start runs on them too. */
async function runTests(node: string, programs: string, wanted: readonly string[]): Promise<void> {
  const path = [programs, process.env.PATH].join(delimiter);
  const args = ["--import", "tsx", "test/tools/run.ts", ...wanted];
  const env = { ...process.env, PATH: path };
  await must("tests", runner.run(node, args, { env, timeoutMs: TESTS_TIMEOUT_MS }));
}

async function checkOnDebian13(folder: string): Promise<void> {
  await must("build", runner.run("npm", ["run", "--silent", "build"]));
  // One after the other: what still installs while another fails would outlive the cleaning up.
  const node = await installNode(24, join(folder, "node"), runner);
  await installProduction(join(folder, "pipit"));
  await installClients(join(folder, "clients"));
  const root = await debianRoot();
  copyInto(root, { "usr/local/bin/node": node });
  copyInto(root, { "opt/pipit": join(folder, "pipit"), "opt/clients": join(folder, "clients") });
  copyInto(root, { "opt/quick-check.mjs": join(ROOT, "test/tools/quick-check.mjs") });
  const args = ["/opt/quick-check.mjs", "/opt/pipit", "/opt/clients"];
  await must("quick check", root.run("/usr/local/bin/node", args, CHECK_TIMEOUT_MS));
}

/** One root for all that need it. */
function debianRoot(): Promise<DebianRoot> {
  async function make(): Promise<DebianRoot> {
    await ensurePrograms([DEBOOTSTRAP], runner);
    const root = createDebianRoot("trixie", DEBIAN_PACKAGES, runner);
    cleanups.push(() => root.remove());
    await root.bootstrap();
    return root;
  }
  debian13 ??= make();
  return debian13;
}

/** What somebody has who installed Pipit: the build and what it needs to run. */
async function installProduction(folder: string): Promise<void> {
  mkdirSync(folder);
  for (const name of ["package.json", "package-lock.json", "config.json", "config.schema.json"]) {
    cpSync(join(ROOT, name), join(folder, name));
  }
  cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  const args = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"];
  await must("npm ci", runner.run("npm", args, { cwd: folder, isQuiet: true }));
}

/** The libraries of a user's client and backend, in the versions that the tests use. */
async function installClients(folder: string): Promise<void> {
  mkdirSync(folder);
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const packages = ["pusher", "pusher-js"].map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  );
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
  await must("npm install", runner.run("npm", [...args, ...packages], { isQuiet: true }));
}

function copyInto(root: DebianRoot, files: Readonly<Record<string, string>>): void {
  for (const [to, from] of Object.entries(files)) {
    mkdirSync(dirname(join(root.path, to)), { recursive: true });
    cpSync(from, join(root.path, to), { recursive: true, verbatimSymlinks: true });
  }
}

async function must(what: string, running: ReturnType<Runner["run"]>): Promise<void> {
  const { exitCode } = await running;
  if (exitCode !== 0) throw new Error(`${what} failed with ${exitCode}`);
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipit-platforms-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function cleanUp(): void {
  for (const undo of cleanups.splice(0).reverse()) undo();
}
