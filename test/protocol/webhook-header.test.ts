import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { isReservedHeader, RESERVED_HEADERS } from "../../src/protocol/webhook-header.ts";

describe("a reserved header", () => {
  test("is each of the list, in any case, and what begins as one that ends in a star", () => {
    for (const name of RESERVED_HEADERS) {
      const example = name.replace("*", "type");
      assert.equal(isReservedHeader(example), true, example);
      assert.equal(isReservedHeader(example.toUpperCase()), true, example);
      assert.equal(isReservedHeader(`x${example}`), false, example);
    }
  });

  test("is none that only resembles one", () => {
    for (const name of ["X-Pusher", "My-Content-Type", "Authorization", "X-Host", "Hosts", "te2"]) {
      assert.equal(isReservedHeader(name), false, name);
    }
  });

  test("is named in the documentation", async () => {
    const page = await readFile(new URL("../../docs/configuration.md", import.meta.url), "utf8");
    const sentence = /`headers` may be any but (.*?)\./s.exec(page)?.[1]?.replaceAll("\n", " ");
    assert.equal(sentence, RESERVED_HEADERS.join(", ").replace(/, ([^,]*)$/, " and $1"));
  });
});
