import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeFrameMessage,
  encodeFrameMessage,
  messageHeader,
  messageKind,
  messageText,
} from "../../src/redis/message.ts";

describe("a message between nodes", () => {
  test("has the bytes that other releases read", () => {
    const bytes = encodeFrameMessage("client_event", "n1", '{"é":1}', "12.34");
    const expected = Buffer.from('\x01\x02\x02n1\x0512.34{"é":1}');
    assert.deepEqual(bytes, expected);
    assert.deepEqual(encodeFrameMessage("terminate", "n", ""), Buffer.from("\x01\x03\x01n\x00"));
    assert.equal(messageHeader("member"), "\x01\x04");
  });

  test("comes back as it was, with and without an exception", () => {
    for (const kind of ["event", "client_event", "terminate"] as const) {
      for (const [frame, except] of [
        ["", undefined],
        ["€😀\u0000", "1.2"],
        ["x".repeat(100_000), `${"9".repeat(100)}.1`],
      ] as const) {
        const bytes = encodeFrameMessage(kind, "node-1", frame, except);
        assert.equal(messageKind(bytes), kind);
        assert.deepEqual(decodeFrameMessage(kind, bytes), {
          kind,
          origin: "node-1",
          except,
          frame,
        });
      }
    }
  });

  test("of a script is its header and JSON text", () => {
    for (const kind of ["member", "subscription_count", "watch", "probe"] as const) {
      const bytes = Buffer.from(`${messageHeader(kind)}{"user":"é"}`);
      assert.equal(messageKind(bytes), kind);
      assert.equal(messageText(bytes), '{"user":"é"}');
    }
  });

  test("that wakes a dispatcher is the character 1 alone", () => {
    assert.equal(messageKind(Buffer.from("1")), "wake");
    assert.equal(messageKind(Buffer.from("11")), undefined);
  });

  test("of an unknown version or kind, or without a header, is none", () => {
    for (const bytes of [[2, 1, 0, 0], [1, 0], [1, 9], [1, 255], [1], []]) {
      assert.equal(messageKind(Buffer.from(bytes)), undefined, bytes.join());
    }
  });

  test("whose lengths do not fit is refused", () => {
    const bytes = encodeFrameMessage("event", "n1", "", "1.2");
    for (let length = 2; length < bytes.length; length++) {
      assert.equal(decodeFrameMessage("event", bytes.subarray(0, length)), undefined, `${length}`);
    }
  });
});
