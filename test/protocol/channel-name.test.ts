import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as names from "../../src/protocol/channel-name.ts";
import { randomText, seededSource } from "../support/random-source.ts";

describe("channelKind", () => {
  for (const kind of names.CHANNEL_KINDS) {
    test(`${kind.prefix}x is what each word of its prefix says`, () => {
      assert.deepEqual(names.channelKind(`${kind.prefix}x`), {
        prefix: kind.prefix,
        needsAuth: /^(private|presence)-/.test(kind.prefix),
        hasMembers: kind.prefix.includes("presence"),
        isEncrypted: kind.prefix.includes("encrypted"),
        isCached: kind.prefix.includes("cache"),
      });
    });
  }

  test("a prefix counts only at the start of the name and only with its dash", () => {
    for (const name of ["my-cache-x", "privatechat", "presence", "cached-x", "Private-x"]) {
      assert.equal(names.channelKind(name), names.PUBLIC_CHANNEL, name);
    }
  });

  test("every private- and presence- name needs auth, whatever follows the prefix", () => {
    for (const rest of ["", "x", "cache-x", "encrypted-cache-x", "my-cache-x"]) {
      assert.equal(names.channelKind(`private-${rest}`).needsAuth, true, rest);
      assert.equal(names.channelKind(`presence-${rest}`).needsAuth, true, rest);
    }
  });
});

describe("isCachedChannel", () => {
  test("says what the kind says, of every name", (t) => {
    const { seed, below } = seededSource(t);
    const pieces = ["private-", "presence-", "encrypted-", "cache-", "cache", "-", "x", "Cache-"];
    let cached = 0;
    for (let round = 0; round < 10_000; round++) {
      const name = randomText(below, pieces, 5);
      const { isCached } = names.channelKind(name);
      assert.equal(names.isCachedChannel(name), isCached, `seed ${seed}: ${name}`);
      if (isCached) cached += 1;
    }
    assert.ok(cached > 500, "some were cached");
  });
});

describe("channelNameProblem", () => {
  test("accepts every allowed character and a name of exactly the longest length", () => {
    assert.equal(names.channelNameProblem("private-aZ09_-=@,.;"), undefined);
    assert.equal(names.channelNameProblem("a".repeat(200)), undefined);
  });

  test("says what is wrong, where, and what is allowed", () => {
    const problem = (name: string, max?: number) => names.channelNameProblem(name, max) ?? "none";
    assert.match(problem("two words"), /"two words".*position 4: use letters, digits/);
    assert.match(problem("line\n"), /"line\\n".*position 5/);
    assert.match(problem("#server-to-user-1"), /reserved.*belong to the server/);
    assert.match(problem("a".repeat(201)), /201 characters, 200 are allowed/);
    assert.match(problem("abc", 2), /3 characters, 2 are allowed/);
    assert.match(problem(""), /empty/);
  });
});
