import assert from "node:assert/strict";
import { test } from "node:test";
import { isOriginAllowed } from "../../src/apps/origin.ts";

const cases: [pattern: string, allowed: string[], refused: string[]][] = [
  [
    "https://example.com",
    ["https://example.com", "HTTPS://Example.COM"],
    [
      "http://example.com",
      "https://example.com:8443",
      "https://a.example.com",
      "https://example.com.evil.net",
    ],
  ],
  [
    "example.com",
    ["https://example.com", "http://example.com"],
    ["https://example.com:8443", "https://notexample.com"],
  ],
  ["example.com:8443", ["https://example.com:8443"], ["https://example.com"]],
  [
    "*.example.com",
    ["https://a.example.com", "https://a.b.example.com", "http://example.com"],
    ["https://badexample.com", "https://example.com.evil.net", "https://evil.net/.example.com"],
  ],
  [
    "https://*.example.com",
    ["https://a.example.com", "https://example.com"],
    ["http://a.example.com"],
  ],
  ["localhost:*", ["http://localhost:3000"], ["http://localhost", "http://evil.localhost:3000"]],
  ["https://app-*.example.com", ["https://app-1.example.com"], ["https://app.example.com"]],
  ["aba*aba", ["http://aba-aba"], ["http://ababa"]],
];

for (const [pattern, allowed, refused] of cases) {
  test(`${pattern} lets in what it says and nothing else`, () => {
    for (const origin of allowed) assert.equal(isOriginAllowed([pattern], origin), true, origin);
    for (const origin of refused) assert.equal(isOriginAllowed([pattern], origin), false, origin);
  });
}

test("an empty list, * and any let everybody in, also without an Origin header", () => {
  for (const patterns of [[], ["*"], ["any"], ["https://a.example", "*"]]) {
    for (const origin of ["https://b.example", "null", "", undefined]) {
      assert.equal(isOriginAllowed(patterns, origin), true);
    }
  }
});

test("without an Origin header nobody passes a list, and one match in it is enough", () => {
  const patterns = ["https://a.example", "https://b.example"];
  assert.equal(isOriginAllowed(patterns, undefined), false);
  assert.equal(isOriginAllowed(patterns, ""), false);
  assert.equal(isOriginAllowed(patterns, "null"), false);
  assert.equal(isOriginAllowed(patterns, "https://b.example"), true);
});
