import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  readFields,
  readFrame,
  readPlainSubscribe,
  readSignIn,
  readSubscribe,
  readUnsubscribe,
} from "../../src/protocol/command.ts";
import { pick, randomText, seededSource } from "../support/random-source.ts";

/** What `read` says is wrong. */
function problem(read: unknown): string {
  assert.equal(typeof read, "string", `accepted: ${JSON.stringify(read)}`);
  return String(read);
}

describe("readFrame", () => {
  test("takes an object with an event, whatever its data", () => {
    assert.deepEqual(readFrame('{"event":"client-x","channel":"private-c","data":[1]}'), {
      event: "client-x",
      channel: "private-c",
      data: [1],
    });
    assert.deepEqual(readFrame('{"event":"pusher:ping"}'), {
      event: "pusher:ping",
      channel: undefined,
      data: undefined,
    });
    assert.deepEqual(readFrame('{"event":"pusher:ping","data":null}'), {
      event: "pusher:ping",
      channel: undefined,
      data: null,
    });
  });

  test("says what is wrong with a message that is not one JSON object", () => {
    for (const text of ["", "hello", '{"event":"x"', '{"event":"x"}{}', "{'event':'x'}"]) {
      assert.match(problem(readFrame(text)), /not valid JSON/, text);
    }
    for (const text of ["null", "1", '"pusher:ping"', "[]", '[{"event":"x"}]', "true"]) {
      assert.match(problem(readFrame(text)), /JSON object with an event/, text);
    }
  });

  test("wants an event name that is a string and not empty", () => {
    for (const text of ["{}", '{"event":""}', '{"event":1}', '{"event":null}', '{"event":["x"]}']) {
      assert.match(problem(readFrame(text)), /needs "event", a non-empty string/, text);
    }
  });

  test("a channel that is no string counts as none", () => {
    for (const channel of ["1", "null", "{}", '["private-c"]']) {
      const frame = readFrame(`{"event":"client-x","channel":${channel}}`);
      assert.equal(typeof frame === "string" ? frame : frame.channel, undefined, channel);
    }
  });

  test("keys called __proto__ or constructor are only keys", () => {
    const frame = readFrame('{"__proto__":{"event":"a","channel":"b"},"constructor":1}');
    assert.match(problem(frame), /needs "event"/);
    assert.equal(({} as { channel?: unknown }).channel, undefined);
  });

  test("50,000 levels of nesting are read and do not overflow the stack", () => {
    const deep = "[".repeat(50_000) + "]".repeat(50_000);
    const frame = readFrame(`{"event":"client-x","data":${deep}}`);
    assert.equal(typeof frame, "object");
  });
});

describe("readSubscribe", () => {
  test("auth and channel_data may be absent, null or empty", () => {
    const bare = { channel: "c", auth: "", channelData: undefined };
    for (const fields of [
      {},
      { auth: "", channel_data: "" },
      { auth: null, channel_data: null },
      { auth: undefined, channel_data: undefined },
    ]) {
      assert.deepEqual(readSubscribe({ channel: "c", ...fields }), bare, JSON.stringify(fields));
    }
  });

  test("keeps auth and channel_data as they came, since the signature covers the exact string", () => {
    const channelData = ' {"user_id" : 10,\n"user_info":{"a":"\\u00e9"}} ';
    assert.deepEqual(
      readSubscribe({ channel: "presence-c", auth: "k:ab:cd", channel_data: channelData }),
      { channel: "presence-c", auth: "k:ab:cd", channelData },
    );
  });

  test("data may be an object or a JSON string of one", () => {
    const expected = { channel: "c", auth: "k:s", channelData: "{}" };
    assert.deepEqual(readSubscribe({ channel: "c", auth: "k:s", channel_data: "{}" }), expected);
    assert.deepEqual(readSubscribe('{"channel":"c","auth":"k:s","channel_data":"{}"}'), expected);
  });

  test("says which field is wrong", () => {
    for (const data of [undefined, null, 1, [], "[]", "c", "", '"{}"']) {
      assert.match(problem(readSubscribe(data)), /needs data, an object/, JSON.stringify(data));
    }
    for (const channel of [undefined, null, 1, ["c"], {}]) {
      assert.match(problem(readSubscribe({ channel })), /data\.channel, a string/);
    }
    for (const wrong of [1, {}, [], true]) {
      assert.match(problem(readSubscribe({ channel: "c", auth: wrong })), /data\.auth.*string/);
      assert.match(
        problem(readSubscribe({ channel: "c", channel_data: wrong })),
        /data\.channel_data.*JSON string/,
      );
    }
  });
});

describe("readUnsubscribe", () => {
  test("takes the channel from an object or a JSON string of one, and refuses anything else", () => {
    assert.deepEqual(readUnsubscribe({ channel: "c" }), { channel: "c" });
    assert.deepEqual(readUnsubscribe('{"channel":"c"}'), { channel: "c" });
    for (const data of [undefined, null, "c", [], {}, { channel: 1 }]) {
      assert.match(problem(readUnsubscribe(data)), /data\.channel, a string/, JSON.stringify(data));
    }
  });
});

describe("readPlainSubscribe", () => {
  test("reads what libraries send, its keys in either order", () => {
    const expected = { channel: "private-room", auth: "key:signature", channelData: undefined };
    for (const data of [
      { auth: "key:signature", channel: "private-room" },
      { channel: "private-room", auth: "key:signature" },
    ]) {
      const text = JSON.stringify({ event: "pusher:subscribe", data });
      assert.deepEqual(readPlainSubscribe(text), expected, text);
    }
  });

  test("gives what the readers of frame and data give, or nothing, whatever the text", (t) => {
    const { seed, below } = seededSource(t);
    const begin = '{"event":"pusher:subscribe","data":{';
    const pieces = [
      ...[
        '"auth":"',
        '"channel":"',
        '",',
        '"}}',
        '","auth":"',
        '","channel":"',
        '"channel_data":"',
      ],
      ...[
        "private-room",
        "key:0a1b",
        "",
        "\\",
        "\\n",
        "\n",
        "\u007f",
        "é",
        "\ud83d",
        "\uffff",
        "{",
        " ",
        ":",
      ],
    ];
    let read = 0;
    for (let round = 0; round < 50_000; round += 1) {
      const values = [0, 1].map(() => randomText(below, ["a", ...pieces.slice(7)], 2));
      const [first, second] = below(2) === 0 ? ["auth", "channel"] : ["channel", "auth"];
      const text = pick(below, [
        begin + randomText(below, pieces, 7),
        `${begin}"${first}":"${values[0]}","${second}":"${values[1]}"}}`,
        `${begin}"${first}":"${values[0]}","${second}":"${values[1]}"}}${pick(below, ["\n", " ", "}", ","])}`,
      ]);
      const plain = readPlainSubscribe(text);
      if (plain === undefined) continue;
      read += 1;
      const frame = readFrame(text);
      assert.ok(typeof frame !== "string", `seed ${seed}: ${text}`);
      assert.equal(frame.event, "pusher:subscribe");
      assert.deepEqual(plain, readSubscribe(frame.data), `seed ${seed}: ${text}`);
    }
    assert.ok(read > 1_000, `only ${read} of the texts were plain`);
  });
});

describe("readSignIn", () => {
  test("keeps user_data as it came, from an object or a JSON string of one", () => {
    const userData = '{ "id":"12345" }';
    const expected = { auth: "k:s", userData };
    assert.deepEqual(readSignIn({ auth: "k:s", user_data: userData }), expected);
    assert.deepEqual(readSignIn(JSON.stringify({ auth: "k:s", user_data: userData })), expected);
  });

  test("says which field is wrong", () => {
    assert.match(problem(readSignIn(undefined)), /needs data, an object/);
    assert.match(problem(readSignIn({ user_data: "{}" })), /data\.auth, a string/);
    assert.match(problem(readSignIn({ auth: null, user_data: "{}" })), /data\.auth, a string/);
    assert.match(problem(readSignIn({ auth: "k:s" })), /data\.user_data, a JSON string/);
    assert.match(problem(readSignIn({ auth: "k:s", user_data: {} })), /data\.user_data/);
  });
});

describe("readFields", () => {
  test("gives an object's fields, unwraps one string and no more", () => {
    assert.deepEqual(readFields({ a: 1 }), { a: 1 });
    assert.deepEqual(readFields('{"a":1}'), { a: 1 });
    for (const none of [null, undefined, 0, "x", "null", "[]", [], JSON.stringify('{"a":1}')]) {
      assert.equal(readFields(none), undefined, JSON.stringify(none));
    }
  });
});
