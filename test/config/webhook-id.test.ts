import assert from "node:assert/strict";
import { test } from "node:test";
import { webhookIds } from "../../src/config/webhook-id.ts";

const A = "https://a.example";
const B = "https://b.example";

test("an endpoint without an id is named after its url, the second of a url apart from the first", () => {
  const [a, b, again] = webhookIds([{ url: A }, { url: B }, { url: A }]);
  assert.match(a ?? "", /^[0-9a-f]{16}$/);
  assert.notEqual(a, b);
  assert.equal(again, `${a}-2`);
});

test("the name does not depend on endpoints with other urls", () => {
  assert.deepEqual(webhookIds([{ url: B }, { url: A }])[1], webhookIds([{ url: A }])[0]);
});

test("giving one endpoint an id renames no other", () => {
  const before = webhookIds([{ url: A }, { url: A }]);
  assert.deepEqual(webhookIds([{ url: A, id: "first" }, { url: A }]), ["first", before[1]]);
});
