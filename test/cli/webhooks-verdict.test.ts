import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { judge, type Presented } from "../../src/cli/webhooks-verdict.ts";

const PAIRS = [
  { key: "new", secret: "new-secret" },
  { key: "old", secret: "old-secret" },
];
const NOW_MS = 1_780_000_000_000;
const BODY = `{"time_ms":${NOW_MS},"events":[]}`;

function sign(body: string, secret = "new-secret"): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

function verdict(changes: Partial<Omit<Presented, "body">> & { body?: string }) {
  const { body = BODY, ...rest } = changes;
  const presented = {
    key: "new",
    signature: sign(BODY),
    contentType: "application/json",
    ...rest,
    body: Buffer.from(body),
  };
  return judge(presented, PAIRS, NOW_MS);
}

test("a delivery signed with the key that it names is genuine", () => {
  assert.deepEqual(verdict({}), { refusal: undefined, notes: [] });
  const other = verdict({ key: "old", signature: sign(BODY, "old-secret") });
  assert.equal(other.refusal, undefined);
});

test("a refusal says whether it is the key, the signature or the body", () => {
  const refusals: [Parameters<typeof verdict>[0], RegExp][] = [
    [{ key: undefined }, /Wrong key: X-Pusher-Key is missing/],
    [{ key: "other" }, /Wrong key: X-Pusher-Key is "other", the app has new, old/],
    [{ key: "old" }, /Wrong key: the signature is that of key new/],
    [{ signature: undefined }, /Wrong signature: X-Pusher-Signature is missing/],
    [{ signature: "AB" }, /Wrong signature: it has 2 characters, 64 of/],
    [{ signature: sign(BODY, "x") }, /Wrong signature: made with another secret/],
    [{ body: `${BODY}\n` }, /Body changed: white space was added/],
    [{ body: BODY.replace(":", ": ") }, /Body changed: its JSON was written anew/],
    [{ body: `${BODY.slice(0, -2)}1]}` }, /Wrong signature: made with another secret, or the body/],
    [{ body: "no", signature: sign("no") }, /no JSON with a whole number in "time_ms"/],
  ];
  for (const [changes, text] of refusals) {
    assert.match(verdict(changes).refusal ?? "none", text, JSON.stringify(changes));
  }
});

test("what only some libraries refuse is a note", () => {
  const notes = (changes: Parameters<typeof verdict>[0]) => String(verdict(changes).notes);
  assert.match(notes({ contentType: "application/json; charset=utf-8" }), /exactly/);
  for (const [timeMs, text] of [
    [NOW_MS - 300_000, /^$/],
    [NOW_MS - 301_000, /time_ms is 5m 1s old: the Python library/],
    [NOW_MS + 400_000, /6m 40s ahead of this machine's clock/],
  ] as const) {
    const body = `{"time_ms":${timeMs},"events":[]}`;
    const { refusal } = verdict({ body, signature: sign(body) });
    assert.equal(refusal, undefined);
    assert.match(notes({ body, signature: sign(body) }), text);
  }
});
