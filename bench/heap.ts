/**
 * Which objects does an idle connection with one subscription consist of?
 *
 *   npm run bench:heap [-- --scale 0.5]
 *
 * Opens idle connections to Pipit and compares two snapshots of its JavaScript heap, before and after: objects and bytes
 * per connection, by constructor. What the native library and the kernel keep for a socket is not in it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { idle } from "./scenarios/idle.ts";
import { readArguments } from "./support/arguments.ts";
import { divideCores } from "./support/cores.ts";
import { growthByKind, readSnapshot } from "./support/heap-snapshot.ts";
import { openSide, SIDE_OPTIONS } from "./support/sides.ts";

const WRITES_WITHIN_MS = 60_000;
/** Bytes per connection under which a kind of object is not listed. */
const LEAST_BYTES = 4;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const { scale } = readArguments(process.argv.slice(2), 1);
execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
const folder = mkdtempSync(join(tmpdir(), "pipit-heap-"));
const { server: core } = divideCores();
const side = await openSide(
  "pipit",
  { ...SIDE_OPTIONS, core, target: undefined },
  { nodeArgs: ["--heapsnapshot-signal=SIGUSR2", `--diagnostic-dir=${folder}`] },
);
try {
  // Code and tables of the first connections are nobody's.
  (await idle.open(side.endpoint, scale / 50)).close();
  const before = readSnapshot(await snapshot(1));
  const load = await idle.open(side.endpoint, scale);
  const { units } = await load.round();
  const after = readSnapshot(await snapshot(2));
  load.close();
  console.log("| object | per connection | bytes |\n| --- | --- | --- |");
  let bytesOfAll = 0;
  for (const { kind, count, bytes } of growthByKind(before, after)) {
    bytesOfAll += bytes / units;
    if (bytes / units < LEAST_BYTES) continue;
    console.log(`| ${kind} | ${(count / units).toFixed(2)} | ${(bytes / units).toFixed(0)} |`);
  }
  console.log(`| all | | ${bytesOfAll.toFixed(0)} |`);
} finally {
  await side.close();
  rmSync(folder, { recursive: true });
}

/** The text of the server's `number`-th snapshot. */
async function snapshot(number: number): Promise<string> {
  if (side.pid !== undefined) process.kill(side.pid, "SIGUSR2");
  const deadlineMs = Date.now() + WRITES_WITHIN_MS;
  for (;;) {
    const file = readdirSync(folder).sort()[number - 1];
    const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8");
    if (text.trimEnd().endsWith("]}")) return text;
    if (Date.now() > deadlineMs) throw new Error("The server wrote no snapshot.");
    await delay(200);
  }
}
