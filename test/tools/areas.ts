/** Which tests there are: an area is one folder of test/, or the many folders that mirror src/. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

export const INTEGRATION = "integration";

/** Folders that are areas of their own, in the order in which they run, cheap ones first. */
export const OWN_AREAS = [
  INTEGRATION,
  "cluster",
  "faults",
  "chaos",
  "browser",
  "demo",
  "packaging",
  "fuzz",
] as const;

/** Every other folder, new ones included. */
export const UNIT = "unit";

/** Of the cluster's tests most wait most of the time, for leases and after losses: in all they use half a core. */
const AT_ONCE: ReadonlyMap<string, number> = new Map([["cluster", 6]]);
const AT_ONCE_ELSEWHERE = 2;

/** What takes longest begins first, so that nothing is left over at the end that runs alone. */
export const LONGEST: readonly string[] = [
  "test/cluster/state-simulation.test.ts",
  "test/cluster/nodes-lease-cut.test.ts",
  "test/cluster/nodes-killed.test.ts",
];

export interface TestArea {
  readonly name: string;
  /** Relative to the project's folder. */
  readonly files: readonly string[];
}

/** Areas that have tests, the unit tests first, and in each what takes longest. `root` is the project's folder. */
export function findAreas(root: string): readonly TestArea[] {
  const files = findTests(root);
  return [UNIT, ...OWN_AREAS]
    .map((name) => ({ name, files: files.filter((file) => areaOf(file) === name) }))
    .filter((area) => area.files.length > 0);
}

/** How many files of an area run at a time. */
export function filesAtOnce(area: string): number {
  return AT_ONCE.get(area) ?? AT_ONCE_ELSEWHERE;
}

/** Tests that stand on a Redis: of the room `redis/`, of the Redis drivers, and of many nodes. */
export function findRedisTests(root: string): readonly string[] {
  return findTests(root).filter((file) => /^test\/(?:redis|cluster)\/|\/redis-[^/]*$/.test(file));
}

function findTests(root: string): readonly string[] {
  const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join("test", file))
    .sort();
  const isLong = (file: string) => LONGEST.includes(file);
  return [...files.filter(isLong), ...files.filter((file) => !isLong(file))];
}

/** `file` is relative to the project's folder: `test/http/routes.test.ts`. */
export function areaOf(file: string): string {
  const folder = file.split(/[\\/]/)[1] ?? "";
  return (OWN_AREAS as readonly string[]).includes(folder) ? folder : UNIT;
}
