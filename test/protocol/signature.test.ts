import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import {
  isSignedBy,
  plainlySigned,
  sign,
  signInContent,
  signingKey,
  splitAuth,
  subscriptionContent,
} from "../../src/protocol/signature.ts";
import { randomText, seededSource } from "../support/random-source.ts";

const SECRET_KEY = signingKey("7ad3773142a6692b25b8");

/** protocol.md §2.2 and §7.1: what is signed, and its signature. */
const VECTORS: readonly (readonly [content: string, signature: string])[] = [
  [
    subscriptionContent("1234.1234", "private-foobar", undefined),
    "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
  ],
  [
    subscriptionContent(
      "1234.1234",
      "presence-foobar",
      '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    ),
    "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
  ],
  [
    signInContent("1234.1234", '{"id":"12345"}'),
    "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
  ],
  [
    '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"test_channel"}]}',
    "709fdb84c03664445f7698120b0edf0acc1ab1c8c6e93a0368c61841d6b998aa",
  ],
];

describe("sign", () => {
  test("gives the signatures of the published vectors", () => {
    for (const [content, signature] of VECTORS) assert.equal(sign(SECRET_KEY, content), signature);
  });

  test("signs text as UTF-8, the same as its bytes", () => {
    assert.equal(sign(SECRET_KEY, "é€😀"), sign(SECRET_KEY, Buffer.from("é€😀")));
  });
});

describe("signingKey", () => {
  test("two digests and the library's HMAC agree on every secret and text", (t) => {
    const { seed, below } = seededSource(t);
    const pieces = [
      "a",
      "0",
      "~",
      "\u0000",
      "\u007f",
      "\u0080",
      "é",
      "€",
      "😀",
      "\ud800",
      "&k=v\n",
    ];
    for (let round = 0; round < 2_000; round++) {
      // Around the 64 bytes of a block, past which a secret is hashed first.
      const ascii = "s".repeat(1 + below(130));
      const secret = below(4) === 0 ? ascii + randomText(below, pieces, 3) : ascii;
      const key = signingKey(secret);
      for (let n = 0; n < 3; n++) {
        const content = randomText(below, pieces, 120);
        const what = `seed ${seed}: ${JSON.stringify([secret, content])}`;
        assert.equal(sign(key, content), plainlySigned(key, content), what);
        assert.equal(sign(key, Buffer.from(content)), plainlySigned(key, content), what);
      }
    }
  });

  test("nothing of the secret is printed", () => {
    const secret = "a-secret-to-keep";
    const key = signingKey(secret);
    assert.deepEqual(Reflect.ownKeys(key), ["keyObject"]);
    const printed = `${inspect(key, { depth: 9, showHidden: true })} ${JSON.stringify(key)} ${key}`;
    assert.ok(!printed.includes(secret), printed);
  });
});

describe("isSignedBy", () => {
  test("accepts the exact signature only", () => {
    for (const [content, signature] of VECTORS) {
      assert.equal(isSignedBy(SECRET_KEY, content, signature), true);
      assert.equal(isSignedBy(SECRET_KEY, `${content} `, signature), false);
      assert.equal(isSignedBy(signingKey("other"), content, signature), false);
      for (let i = 0; i < signature.length; i++) {
        const changed = signature[i] === "0" ? "1" : "0";
        const forged = signature.slice(0, i) + changed + signature.slice(i + 1);
        assert.equal(isSignedBy(SECRET_KEY, content, forged), false, `digit ${i}`);
      }
    }
  });

  test("says what a comparison of the two texts says, whatever came before", (t) => {
    const { seed, below } = seededSource(t);
    const pieces = [..."0123456789abcdef", "A", "é", "€", "😀", "\ud800", "\u0161"];
    for (let round = 0; round < 2_000; round++) {
      const content = randomText(below, pieces, 20);
      const right = plainlySigned(SECRET_KEY, content);
      const at = below(64);
      const piece = pieces[below(pieces.length)] ?? "";
      const near = right.slice(0, at) + piece + right.slice(at + 1 + below(2));
      for (const signature of [near, randomText(below, pieces, 64), right]) {
        const what = `seed ${seed}: ${JSON.stringify([content, signature])}`;
        assert.equal(isSignedBy(SECRET_KEY, content, signature), signature === right, what);
      }
    }
  });

  test("a signature of another length or alphabet is wrong and throws nothing", () => {
    const [content, signature] = VECTORS[0] ?? ["", ""];
    for (const wrong of [
      "",
      signature.slice(1),
      `${signature}0`,
      signature.toUpperCase(),
      "é".repeat(64),
      "é".repeat(32),
      // The low bytes of these characters are the digits of the right signature.
      [...signature].map((digit) => String.fromCharCode(digit.charCodeAt(0) + 256)).join(""),
    ]) {
      assert.equal(isSignedBy(SECRET_KEY, content, wrong), false, wrong);
    }
  });
});

describe("splitAuth", () => {
  test("splits at the first colon", () => {
    assert.deepEqual(splitAuth("key:sig"), { key: "key", signature: "sig" });
    assert.deepEqual(splitAuth("key::user::sig"), { key: "key", signature: ":user::sig" });
    assert.deepEqual(splitAuth(":"), { key: "", signature: "" });
    assert.equal(splitAuth("key"), undefined);
    assert.equal(splitAuth(""), undefined);
  });
});

describe("subscriptionContent", () => {
  test("appends channel_data whenever it was sent, also on a private channel", () => {
    assert.equal(subscriptionContent("1.2", "private-c", undefined), "1.2:private-c");
    assert.equal(subscriptionContent("1.2", "private-c", "{}"), "1.2:private-c:{}");
    assert.equal(subscriptionContent("1.2", "presence-c", undefined), "1.2:presence-c");
  });
});
