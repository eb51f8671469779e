import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../src/config/json-text.ts";

const problem = (text: string) => {
  const parsed = parseJson(text);
  return "problem" in parsed ? parsed.problem : "none";
};

test("JSON is read, with a byte order mark or without", () => {
  assert.deepEqual(parseJson('\uFEFF{"a":[1,"\\u00e9",null]}'), { value: { a: [1, "é", null] } });
});

test("a mistake is named with line, column and its usual cause", () => {
  assert.equal(problem('{\n  "a": 1,\n}'), "line 3, column 1: no comma may stand before the end");
  assert.equal(problem("[1, 2,]"), "line 1, column 7: no comma may stand before the end");
  assert.equal(problem('{"a": 1\n "b": 2}'), "line 2, column 2: a comma is missing before this");
  assert.equal(problem("{\n // x\n}"), "line 2, column 2: JSON knows no comments");
  assert.equal(problem("{'a': 1}"), "line 1, column 2: JSON wants double quotes");
  assert.equal(problem('{"a": tru}'), 'line 1, column 7: unexpected "tru}"');
  assert.equal(problem('{"a": 01}'), 'line 1, column 7: unexpected "01}"');
  assert.equal(problem('{"a" 1}'), 'line 1, column 6: unexpected "1}"');
  assert.equal(
    problem('{"a": [1, {"b": "c"}'),
    "line 1, column 21: the file ends too early; is a bracket or quote not closed?",
  );
  assert.equal(
    problem(""),
    "line 1, column 1: the file ends too early; is a bracket or quote not closed?",
  );
  assert.equal(problem("{} {}"), 'line 1, column 4: unexpected "{}"');
});
