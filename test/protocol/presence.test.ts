import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MAX_JSON_DEPTH } from "../../src/protocol/json-depth.ts";
import { MAX_USER_ID_LENGTH, readChannelData } from "../../src/protocol/presence.ts";

function member(channelData: string): { userId: string; userInfoJson: string } {
  const read = readChannelData(channelData);
  assert.ok(typeof read === "object", `refused: ${String(read)}`);
  return read;
}

function problem(channelData: string): string {
  const read = readChannelData(channelData);
  assert.ok(typeof read === "string", `accepted: ${JSON.stringify(read)}`);
  return read;
}

describe("readChannelData", () => {
  test("a numeric user id becomes a string, the same one for 10 and for ten as text", () => {
    assert.equal(member('{"user_id":10}').userId, "10");
    assert.equal(member('{"user_id":"10"}').userId, "10");
    assert.equal(member('{"user_id":0}').userId, "0");
    assert.equal(member('{"user_id":-1.5}').userId, "-1.5");
  });

  test("a numeric id reads as it does in a browser, which looks itself up by that key", () => {
    for (const id of ["1e21", "12345678901234567890", "1.0", "1e2"]) {
      const key = Object.keys({ [JSON.parse(id)]: 1 })[0];
      assert.equal(member(`{"user_id":${id}}`).userId, key);
    }
  });

  test("user_info is any JSON, and {} where there is none", () => {
    assert.equal(member('{"user_id":1}').userInfoJson, "{}");
    assert.equal(member('{"user_id":1,"user_info":null}').userInfoJson, "{}");
    for (const json of ['{"name":"Ann"}', "[1]", '"x"', "0", "false", '""', '{"__proto__":{}}']) {
      assert.equal(member(`{"user_id":1,"user_info":${json}}`).userInfoJson, json);
    }
  });

  test("a user id is needed: a string or number, not empty", () => {
    for (const json of ["{}", '{"user_id":null}', '{"user_id":true}', '{"user_id":{}}']) {
      assert.match(problem(json), /needs user_id, a string or a number/, json);
    }
    assert.match(problem('{"user_id":[1]}'), /needs user_id/);
    assert.match(problem('{"user_id":1e999}'), /needs user_id/);
    assert.match(problem('{"user_id":""}'), /empty/);
    assert.match(problem('{"__proto__":{"user_id":1}}'), /needs user_id/);
  });

  test("what is no JSON object is refused", () => {
    for (const text of ["", "x", "null", "[]", "1", '"user"', '{"user_id":1']) {
      assert.match(problem(text), /must be a JSON object with a user_id/, text);
    }
  });

  test("a user id may have 128 characters and no more", () => {
    const longest = "a".repeat(MAX_USER_ID_LENGTH);
    assert.equal(MAX_USER_ID_LENGTH, 128);
    assert.equal(member(JSON.stringify({ user_id: longest })).userId, longest);
    assert.match(problem(JSON.stringify({ user_id: `${longest}a` })), /129 characters, 128 are/);
  });

  test("user_info nested too deeply is refused and not written again", () => {
    const nested = (levels: number) =>
      `{"user_id":1,"user_info":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    assert.equal(member(nested(MAX_JSON_DEPTH)).userInfoJson.length, 2 * MAX_JSON_DEPTH);
    assert.match(problem(nested(MAX_JSON_DEPTH + 1)), /deeper than 64 levels/);
    assert.match(problem(nested(50_000)), /deeper than 64 levels/);
  });
});

test("an id with half of a surrogate pair is refused: it would be another one after a way through UTF-8", () => {
  assert.equal(
    readChannelData('{"user_id":"\\ud800"}'),
    "user_id in channel_data has half of a surrogate pair.",
  );
  assert.equal(
    typeof readChannelData('{"user_id":"\\ud83d\\ude00"}'),
    "object",
    "a whole pair is fine",
  );
});
