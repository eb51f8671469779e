/** What docs/protocol.md lists is what the code has. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { API_ROUTES } from "../../src/http/routes.ts";
import { CHANNEL_KINDS } from "../../src/protocol/channel-name.ts";
import { CLOSE_CODES } from "../../src/protocol/close-code.ts";
import { WEBHOOK_EVENT_TYPES } from "../../src/protocol/webhook-event.ts";
import { readPage } from "./pages.ts";

const PAGE = readPage("docs/protocol.md");

/** The text of a section, from its heading to the next. */
function section(number: string): string {
  const [, text = ""] = PAGE.split(new RegExp(`^#+ ${number.replace(".", "\\.")}\\.? .*$`, "m"));
  return text.split(/^#/m)[0] ?? "";
}

/** The first cells of a table's rows, without quotes. */
function firstCells(text: string): readonly string[] {
  return [...text.matchAll(/^\| ([^|]+?) \|/gm)].map(([, cell = ""]) => cell.replaceAll("`", ""));
}

describe("docs/protocol.md", () => {
  test("explains every code that is sent, and no other", () => {
    const listed = firstCells(section("1.5")).flatMap((cell) => cell.match(/\d{4}/g) ?? []);
    const sent = Object.values(CLOSE_CODES).map(String);
    assert.deepEqual([...listed].sort(), [...sent].sort());
  });

  test("has a row for every prefix that says what the prefix demands and grants", () => {
    for (const { prefix, needsAuth, hasMembers, isEncrypted, isCached } of CHANNEL_KINDS) {
      const cells = [needsAuth, hasMembers, isEncrypted, isCached].map((is) =>
        is ? " yes " : " ",
      );
      assert.ok(section("2.1").includes(`| \`${prefix}\` |${cells.join("|")}|`), prefix);
    }
  });

  test("lists every kind of webhook, as the README does", () => {
    const readme = readPage("README.md").split("## Webhooks")[1] ?? "";
    for (const kind of WEBHOOK_EVENT_TYPES) {
      assert.ok(firstCells(section("7.2")).includes(kind), kind);
      assert.ok(firstCells(readme).includes(kind), kind);
    }
  });

  test("and the README name every route of the HTTP API", () => {
    const readme = readPage("README.md");
    for (const { method, pattern } of Object.values(API_ROUTES)) {
      if (!pattern.startsWith("/apps/")) continue;
      if (firstCells(section("6.11")).includes(`${method} ${pattern}`)) continue;
      assert.ok(readme.includes(`\`${method} ${pattern}\``), pattern);
      const heading = pattern.replace("{name}/users", "{name} and /users");
      assert.match(
        PAGE,
        new RegExp(`^### 6\\.\\d+ ${method} ${heading.replace(/[{}]/g, "\\$&")}`, "m"),
      );
    }
  });
});
