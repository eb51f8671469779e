import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readBatch, readPublish } from "../../src/protocol/publish-body.ts";

const LIMITS = {
  maxChannelNameLength: 200,
  maxEventChannelsAtOnce: 100,
  maxEventNameLength: 200,
  maxEventPayloadBytes: 100,
  maxEventBatchSize: 10,
};

function event(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return { name: "foo", channel: "room", data: "x", ...changes };
}

/** The command, failing the test when the body was refused. */
function accepted(body: unknown) {
  const command = readPublish(body, LIMITS);
  assert.ok(!("status" in command), JSON.stringify(command));
  return command;
}

/** The refusal as `<status> <message>`. */
function refused(body: unknown): string {
  const problem = readPublish(body, LIMITS);
  assert.ok("status" in problem, "was accepted");
  return `${problem.status} ${problem.message}`;
}

describe("readPublish", () => {
  test("yields parts that are JSON already", () => {
    assert.deepEqual(accepted(event({ name: 'a"b', data: '{"é":1}', socket_id: "12.34" })), {
      eventJson: '"a\\"b"',
      channels: ["room"],
      dataJson: '"{\\"é\\":1}"',
      exceptSocketId: "12.34",
      info: undefined,
    });
  });

  test("channels wins over channel, and a name that comes twice counts once", () => {
    assert.deepEqual(accepted(event({ channels: ["a", "b", "a"] })).channels, ["a", "b"]);
    assert.deepEqual(accepted(event({ channels: null })).channels, ["room"]);
  });

  test("data that is no string is written as JSON, an empty string is data, missing is not", () => {
    assert.equal(accepted(event({ data: "" })).dataJson, '""');
    assert.equal(accepted(event({ data: { a: [1, null] } })).dataJson, '"{\\"a\\":[1,null]}"');
    assert.equal(accepted(event({ data: null })).dataJson, '"null"');
    assert.equal(accepted(event({ data: 0 })).dataJson, '"0"');
    assert.match(refused({ name: "foo", channel: "room" }), /^400 "data" is missing/);
  });

  test("data may be nested 64 levels deep and no deeper, however deep it is", () => {
    const nested = (levels: number) =>
      JSON.parse("[".repeat(levels) + "]".repeat(levels)) as unknown;
    accepted({ ...event(), data: nested(50) });
    assert.match(refused(event({ data: nested(65) })), /^400 "data" is nested deeper than/);
    assert.match(refused(event({ data: nested(50_000) })), /^400 "data" is nested deeper than/);
  });

  test("data over the limit is 413, counted in bytes of UTF-8", () => {
    accepted(event({ data: "a".repeat(100) }));
    accepted(event({ data: "€".repeat(33) }));
    assert.match(refused(event({ data: "a".repeat(101) })), /^413 .*101 bytes, 100 are allowed/);
    assert.match(refused(event({ data: "€".repeat(34) })), /^413 .*102 bytes/);
  });

  test("a __proto__ key is refused", () => {
    const body: unknown = JSON.parse('{"__proto__":{"name":"foo"},"channel":"room","data":"x"}');
    assert.match(refused(body), /^400 .*"__proto__"/);
  });

  test("names of the service and names too long are refused, those of others pass", () => {
    assert.match(refused(event({ name: "pusher:x" })), /^400 .*belong to the server/);
    assert.match(refused(event({ name: "pusher_internal:x" })), /^400 .*belong to the server/);
    assert.match(refused(event({ name: "" })), /^400 "name" is empty/);
    assert.match(refused(event({ name: "a".repeat(201) })), /^400 .*201 characters, 200/);
    accepted(event({ name: "a".repeat(200) }));
    accepted(event({ name: "pusher" }));
    accepted(event({ name: "client-x" }));
  });

  test("each field of the wrong type is named with what was found", () => {
    assert.match(refused([]), /^400 The body is an array/);
    assert.match(refused(null), /^400 The body is null/);
    assert.match(refused("x"), /^400 The body is a string/);
    assert.match(refused(event({ name: 1 })), /"name" is a number/);
    assert.match(refused(event({ channel: {} })), /"channel" is an object/);
    assert.match(refused({ name: "a", data: "x" }), /"channel" is missing/);
    assert.match(refused(event({ channels: "a" })), /"channels" is a string/);
    assert.match(refused(event({ channels: ["a", 1] })), /"channels\[1\]" is a number/);
    assert.match(refused(event({ info: 1 })), /"info" is a number/);
    for (const socket_id of ["", "1", "1.", "a.b", "1.2 ", 1.2, {}]) {
      assert.match(refused(event({ socket_id })), /^400 "socket_id" is/);
    }
  });

  test("1 to 100 channels are allowed", () => {
    const names = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);
    assert.equal(accepted(event({ channels: names(100) })).channels.length, 100);
    assert.match(refused(event({ channels: names(101) })), /101 names, 1 to 100 are allowed/);
    assert.match(refused(event({ channels: [] })), /0 names/);
  });

  test("a bad channel name is refused, wherever it stands", () => {
    assert.match(refused(event({ channel: "two words" })), /forbidden character at position 4/);
    assert.match(refused(event({ channels: ["a", "b!"] })), /position 2/);
    assert.match(refused(event({ channel: "a".repeat(201) })), /201 characters/);
  });

  test("events go to a user's channel, and to no other that begins with #", () => {
    assert.deepEqual(accepted(event({ channel: "#server-to-user-a/b c" })).channels, [
      "#server-to-user-a/b c",
    ]);
    assert.match(refused(event({ channel: "#server-to-user-" })), /has 0 characters/);
    accepted(event({ channel: `#server-to-user-${"1".repeat(200)}` }));
    assert.match(refused(event({ channel: `#server-to-user-${"1".repeat(201)}` })), /1 to 200/);
    assert.match(refused(event({ channel: "#other" })), /reserved/);
    assert.match(refused(event({ channels: ["a", "#"] })), /reserved/);
  });

  test("an encrypted channel is published to alone, since its data is sealed for it", () => {
    accepted(event({ channels: ["private-encrypted-a"] }));
    accepted(event({ channels: ["private-encrypted-a", "private-encrypted-a"] }));
    assert.match(refused(event({ channels: ["private-encrypted-a", "b"] })), /alone/);
  });

  test("an empty or null info is none", () => {
    assert.equal(accepted(event({ info: "" })).info, undefined);
    assert.equal(accepted(event({ info: null })).info, undefined);
    assert.equal(accepted(event({ info: "user_count" })).info, "user_count");
  });
});

describe("readBatch", () => {
  test("yields the events in order", () => {
    const commands = readBatch(
      { batch: [event({ channel: "a" }), event({ channel: "b" })] },
      LIMITS,
    );
    assert.ok(!("status" in commands));
    assert.deepEqual(
      commands.map(({ channels }) => channels[0]),
      ["a", "b"],
    );
  });

  test("the sentence names the first bad event; channels is not read here", () => {
    const problem = (batch: unknown) => {
      const result = readBatch({ batch }, LIMITS);
      return "status" in result ? `${result.status} ${result.message}` : "none";
    };
    assert.match(problem([event(), 7]), /^400 batch\[1\]: a number, a JSON object is needed/);
    assert.match(
      problem([{ name: "a", channels: ["x"], data: "" }]),
      /batch\[0\]: "channel" is missing/,
    );
    assert.match(problem([event({ data: "a".repeat(101) })]), /^413 batch\[0\]: "data" has 101/);
    assert.match(problem(undefined), /^400 "batch" is missing/);
    assert.match(problem(Array(11).fill(event())), /^400 "batch" has 11 events, 10 are allowed/);
  });
});
