/** `npm run build`: compiles src/ into dist/ if anything changed since the last time. `--force` always does. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIST = join(ROOT, "dist");
/** Names the sources of the last build; its age is the build's. Not in dist/, which is published. */
const STAMP = join(ROOT, "node_modules", ".cache", "pipit-build.json");
/** What a build depends on besides the sources. */
const SETTINGS = ["tsconfig.json", "src/tsconfig.json", "package-lock.json"];

const sources = filesUnder(join(ROOT, "src"));
if (process.argv.includes("--force") || !isFresh()) build();

function isFresh(): boolean {
  if (!existsSync(join(DIST, "main.js")) || !existsSync(STAMP)) return false;
  if (readFileSync(STAMP, "utf8") !== JSON.stringify(sources)) return false;
  const builtMs = statSync(STAMP).mtimeMs;
  return [...sources.map((file) => join("src", file)), ...SETTINGS].every(
    (file) => statSync(join(ROOT, file)).mtimeMs <= builtMs,
  );
}

function build(): void {
  rmSync(STAMP, { force: true });
  const startedMs = performance.now();
  // The stamp gets the time before the compiler reads: what changes meanwhile is newer.
  const startedAt = new Date();
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  try {
    execFileSync(process.execPath, [compiler, "-p", "src/tsconfig.json", "--noEmitOnError"], {
      cwd: ROOT,
      stdio: "inherit",
    });
  } catch {
    process.exit(1); // the compiler has said why
  }
  for (const file of sources.filter((name) => !name.endsWith(".ts") && !name.endsWith(".json"))) {
    mkdirSync(dirname(join(DIST, file)), { recursive: true });
    copyFileSync(join(ROOT, "src", file), join(DIST, file));
  }
  removeLeftovers();
  chmodSync(join(DIST, "main.js"), 0o755);
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, JSON.stringify(sources));
  utimesSync(STAMP, startedAt, startedAt);
  console.log(`built dist/ in ${Math.round(performance.now() - startedMs)} ms`);
}

/** Output whose source is gone would still be loaded by whoever names it. */
function removeLeftovers(): void {
  const modules = new Set(sources.map((file) => file.replace(/\.ts$/, "")));
  for (const file of filesUnder(DIST)) {
    const module = file.replace(/(?:\.d\.ts|\.js|\.js\.map|\.d\.ts\.map)$/, "");
    if (!modules.has(module)) rmSync(join(DIST, file));
  }
}

/** Relative to `folder`, sorted. */
function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
