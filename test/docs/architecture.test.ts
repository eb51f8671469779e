import assert from "node:assert/strict";
import { test } from "node:test";
import { readPage } from "./pages.ts";

interface Override {
  readonly includes: readonly string[];
  readonly linter: {
    readonly rules: {
      readonly style: {
        readonly noRestrictedImports?: {
          readonly options: {
            readonly patterns?: readonly { readonly group: readonly string[] }[];
          };
        };
      };
    };
  };
}

/** `http` → the rooms that the lint rules let it import, sorted. */
function roomsInRules(): Record<string, readonly string[]> {
  const { overrides } = JSON.parse(readPage("biome.json")) as { overrides: readonly Override[] };
  const rooms: Record<string, readonly string[]> = {};
  for (const { includes, linter } of overrides) {
    const room = /^src\/([\w-]+)\/\*\*$/.exec(includes[0] ?? "")?.[1];
    const patterns = linter.rules.style.noRestrictedImports?.options.patterns;
    if (room === undefined || patterns === undefined) continue;
    const allowed = patterns.flatMap(({ group }) => group.filter((glob) => glob.startsWith("!")));
    rooms[room] = allowed.map((glob) => glob.replace(/^!\.\.\/|\/\*\*$/g, "")).sort();
  }
  return rooms;
}

function roomsInTable(): Record<string, readonly string[]> {
  const rows = readPage("docs/architecture.md").matchAll(/^\| `([\w-]+)\/` \|.*\| ([^|]*) \|$/gm);
  return Object.fromEntries(
    [...rows].map(([, room = "", list = ""]) => [room, list === "–" ? [] : list.split(", ")]),
  );
}

test("docs/architecture.md tells the import rules of the rooms as the linter enforces them", () => {
  assert.ok(Object.keys(roomsInRules()).length >= 14);
  assert.deepEqual(roomsInTable(), roomsInRules());
});
