import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CLOSE_CODES, closeReason } from "../../src/protocol/close-code.ts";

describe("CLOSE_CODES", () => {
  test("are the codes of protocol.md §1.5, each in the range that tells the client what to do", () => {
    assert.deepEqual(CLOSE_CODES, {
      tlsOnly: 4000,
      unknownApp: 4001,
      appDisabled: 4003,
      overQuota: 4004,
      pathNotFound: 4005,
      badVersion: 4006,
      unsupportedProtocol: 4007,
      noProtocol: 4008,
      unauthorized: 4009,
      overCapacity: 4100,
      reconnect: 4200,
      pongTimeout: 4201,
      rejected: 4301,
      watchlistTooLong: 4302,
    });
  });
});

describe("closeReason", () => {
  test("leaves alone what fits in a close frame", () => {
    assert.equal(closeReason("gone"), "gone");
    assert.equal(closeReason("a".repeat(123)), "a".repeat(123));
  });

  test("cuts to 123 bytes of UTF-8 and never in the middle of a character", () => {
    assert.equal(closeReason("a".repeat(124)), "a".repeat(123));
    for (const character of ["é", "€", "😀"]) {
      for (const before of ["", "a", "aa", "aaa"]) {
        const reason = closeReason(before + character.repeat(100));
        const size = Buffer.byteLength(character);
        const kept = Math.floor((123 - before.length) / size);
        assert.equal(reason, before + character.repeat(kept), `${before}${character}`);
      }
    }
  });
});
