import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_JSON_DEPTH } from "../../src/protocol/json-depth.ts";
import {
  MAX_SIGNED_IN_USER_ID_LENGTH,
  readUserData,
  type UserData,
} from "../../src/protocol/user-data.ts";

function user(userData: unknown): UserData {
  const read = readUserData(JSON.stringify(userData));
  assert.ok(typeof read === "object", `refused: ${String(read)}`);
  return read;
}

function problem(userData: unknown): string {
  const read = readUserData(JSON.stringify(userData));
  assert.ok(typeof read === "string", `accepted: ${JSON.stringify(read)}`);
  return read;
}

describe("readUserData", () => {
  test("takes an id, and user_info and a watchlist where they are given", () => {
    assert.deepEqual(user({ id: "u1" }), {
      id: "u1",
      userInfoJson: "{}",
      watchlist: [],
      watchlistLength: 0,
    });
    assert.deepEqual(user({ id: "u1", user_info: { name: "Ann" }, watchlist: ["u2", "u3"] }), {
      id: "u1",
      userInfoJson: '{"name":"Ann"}',
      watchlist: ["u2", "u3"],
      watchlistLength: 2,
    });
  });

  test("null for user_info or watchlist reads as none", () => {
    assert.deepEqual(user({ id: "u1", user_info: null, watchlist: null }), user({ id: "u1" }));
  });

  test("the id must be a non-empty string: pusher-js discards a sign-in with any other", () => {
    for (const id of [undefined, null, "", 1, 0, {}, ["u1"], true]) {
      assert.match(problem({ id }), /needs id, a non-empty string/, JSON.stringify(id));
    }
  });

  test("an id may have 200 characters and no more", () => {
    const longest = "a".repeat(MAX_SIGNED_IN_USER_ID_LENGTH);
    assert.equal(MAX_SIGNED_IN_USER_ID_LENGTH, 200);
    assert.equal(user({ id: longest }).id, longest);
    assert.match(problem({ id: `${longest}a` }), /201 characters, 200 are allowed/);
  });

  test("what is no JSON object is refused", () => {
    for (const text of ["", "x", "null", "[]", '"u1"', '{"id":"u1"']) {
      assert.match(String(readUserData(text)), /must be a JSON object with an id/, text);
    }
  });

  test("of a long watchlist the first 100 are kept, and its length is known", () => {
    const ids = Array.from({ length: 130 }, (_, n) => `u${n}`);
    const { watchlist, watchlistLength } = user({ id: "u", watchlist: ids });
    assert.deepEqual(watchlist, ids.slice(0, 100));
    assert.equal(watchlistLength, 130);
    assert.equal(user({ id: "u", watchlist: ids.slice(0, 100) }).watchlist.length, 100);
  });

  test("an id that is listed twice is watched once", () => {
    assert.deepEqual(user({ id: "u", watchlist: ["a", "b", "a"] }).watchlist, ["a", "b"]);
  });

  test("a watchlist holds non-empty strings", () => {
    for (const watchlist of ["u2", {}, 1]) {
      assert.match(problem({ id: "u", watchlist }), /must be an array/, JSON.stringify(watchlist));
    }
    for (const wrong of ["", 1, null, ["u2"]]) {
      assert.match(problem({ id: "u", watchlist: ["a", wrong] }), /non-empty strings only/);
    }
  });

  test("user_info nested too deeply is refused and not written again", () => {
    const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));
    assert.equal(user({ id: "u", user_info: nested(MAX_JSON_DEPTH) }).userInfoJson.length, 128);
    assert.match(problem({ id: "u", user_info: nested(MAX_JSON_DEPTH + 1) }), /64 levels/);
  });
});

test("ids with half of a surrogate pair are refused, as the user's and on the watchlist", () => {
  assert.match(String(readUserData('{"id":"\\udc00"}')), /half of a surrogate pair/);
  assert.match(String(readUserData('{"id":"a","watchlist":["\\ud800"]}')), /half a surrogate pair/);
});
