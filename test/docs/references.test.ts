/** Links between documents, and from comments to documents, lead somewhere. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { anchorOf, headings, pages, prose, ROOT, readPage } from "./pages.ts";
import { sourceFiles } from "./sources.ts";

interface Link {
  readonly from: string;
  readonly target: string;
}

function links(): readonly Link[] {
  return pages().flatMap((from) =>
    [...prose(readPage(from)).matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => ({
      from,
      target,
    })),
  );
}

/** `4.1` for "4.1 Signing in", `3` for "3. Client events". */
function sectionNumbers(page: string): ReadonlySet<string> {
  const numbers = headings(readPage(page)).map((text) => /^(\d+(?:\.\d+)?)\.? /.exec(text)?.[1]);
  return new Set(numbers.filter((number) => number !== undefined));
}

describe("the documents", () => {
  test("link to files and headings that exist", () => {
    const dead = links().filter(({ from, target }) => {
      if (/^https?:/.test(target)) return false;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? from : join(dirname(from), path);
      if (!existsSync(join(ROOT, file))) return true;
      return anchor !== undefined && !headings(readPage(file)).map(anchorOf).includes(anchor);
    });
    assert.deepEqual(dead, []);
    assert.ok(links().length > 20);
  });

  test("have every section that a comment names", () => {
    const missing = [...sourceFiles("src"), ...sourceFiles("test")].flatMap(({ path, text }) =>
      ["protocol.md", "architecture.md"].flatMap((page) => {
        const known = sectionNumbers(join("docs", page));
        // "protocol.md §1.1, §1.5–§1.7": all that follow the page's name.
        const lists = text.match(
          new RegExp(`${page.replace(".", "\\.")}(?:[,–]? ?§[\\d.]+\\d|[,–]? ?§\\d+)+`, "g"),
        );
        const numbers = (lists ?? []).flatMap((list) => list.match(/(?<=§)\d+(?:\.\d+)?/g) ?? []);
        return numbers.filter((number) => !known.has(number)).map((n) => `${path}: ${page} §${n}`);
      }),
    );
    assert.deepEqual(missing, []);
  });

  test("name no other server but where somebody comes from", () => {
    const elsewhere = pages().filter((page) => page !== "README.md");
    for (const page of elsewhere) {
      assert.doesNotMatch(readPage(page), /soketi|sockudo|\breverb\b/i, page);
    }
    const [before = "", rest = ""] = readPage("README.md").split("## Coming from soketi");
    const after = rest.slice(rest.indexOf("\n## "));
    const table = before.replace(/^- Coming .*$/m, "");
    assert.doesNotMatch(table + after, /soketi|sockudo|\breverb\b/i);
  });
});
