import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as frames from "../../src/protocol/frame.ts";
import {
  listEntry,
  membersOf,
  type PresenceList,
  type PresenceMembers,
} from "../../src/protocol/presence.ts";
import { randomText, seededSource } from "../support/random-source.ts";

/** Texts that break frames joined without care. */
const NASTY = ['"', "\\", "\n", "\u2028", "é€😀", "\ud800", '","event":"pusher:x', "</script>"];

/** A frame as a client reads it: `data` of a channel's event is parsed once more. */
function parsed(frame: string): Record<string, unknown> {
  return JSON.parse(frame);
}

function dataOf(frame: string): unknown {
  const { data } = parsed(frame);
  assert.equal(typeof data, "string", `data is no string in ${frame}`);
  return JSON.parse(String(data));
}

function listOf(members: PresenceMembers): PresenceList {
  return new Map([...members].map(([id, infoJson]) => [id, listEntry(id, infoJson)]));
}

describe("frames of the connection", () => {
  test("connection_established carries its data as a string, the timeout as a number", () => {
    assert.equal(
      frames.connectionEstablishedFrame("123.456", 120),
      '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"123.456\\",\\"activity_timeout\\":120}"}',
    );
  });

  test("pong has the key data, since some clients read it always", () => {
    assert.equal(frames.PONG_FRAME, '{"event":"pusher:pong","data":"{}"}');
  });

  test("pusher:error carries its data as an object, with a code or null", () => {
    assert.equal(
      frames.errorFrame({ code: 4001, message: "Application does not exist" }),
      '{"event":"pusher:error","data":{"code":4001,"message":"Application does not exist"}}',
    );
    for (const message of NASTY) {
      assert.deepEqual(parsed(frames.errorFrame({ code: null, message })), {
        event: "pusher:error",
        data: { code: null, message },
      });
    }
  });

  test("signin_success carries an object whose user_data is the string as it came", () => {
    for (const userData of ['{ "id" : "u1" }', ...NASTY]) {
      assert.deepEqual(parsed(frames.signInSuccessFrame(userData)), {
        event: "pusher:signin_success",
        data: { user_data: userData },
      });
    }
  });

  test("watchlist events are one frame without a channel, empty groups left out", () => {
    const frame = frames.watchlistFrame(["u2", '"'], ["u3"]) ?? "";
    assert.deepEqual(Object.keys(parsed(frame)), ["event", "data"]);
    assert.equal(parsed(frame).event, "pusher_internal:watchlist_events");
    assert.deepEqual(dataOf(frame), {
      events: [
        { name: "online", user_ids: ["u2", '"'] },
        { name: "offline", user_ids: ["u3"] },
      ],
    });
    assert.deepEqual(dataOf(frames.watchlistFrame(["u2"], []) ?? ""), {
      events: [{ name: "online", user_ids: ["u2"] }],
    });
    assert.deepEqual(dataOf(frames.watchlistFrame([], ["u3"]) ?? ""), {
      events: [{ name: "offline", user_ids: ["u3"] }],
    });
    assert.equal(frames.watchlistFrame([], []), undefined);
  });
});

describe("frames of a channel", () => {
  test("an event is joined from its parts and its data stays the string that it was", () => {
    for (const text of ["", "plain", '{"some":"data"}', ...NASTY]) {
      const json = JSON.stringify(text);
      const frame = frames.eventFrame(json, '"c"', json);
      assert.deepEqual(parsed(frame), { event: text, channel: "c", data: text });
    }
  });

  test("a client event has user_id only where there is one: no null", () => {
    assert.equal(
      frames.clientEventFrame('"client-x"', '"private-c"', '"1"', undefined),
      '{"event":"client-x","channel":"private-c","data":"1"}',
    );
    for (const userId of ["1", ...NASTY]) {
      assert.deepEqual(
        parsed(frames.clientEventFrame('"client-x"', '"presence-c"', '"1"', userId)),
        {
          event: "client-x",
          channel: "presence-c",
          data: "1",
          user_id: userId,
        },
      );
    }
  });

  test("subscription_succeeded has data of exactly {} on channels without members", () => {
    assert.equal(
      frames.subscriptionSucceededFrame('"c"'),
      '{"event":"pusher_internal:subscription_succeeded","channel":"c","data":"{}"}',
    );
  });

  test("subscription_succeeded of a presence channel lists ids, hash and count", () => {
    const members = new Map([
      ["1", '{"name":"Ann"}'],
      ["2", "{}"],
      ["__proto__", "{}"],
      ...NASTY.map((id): [string, string] => [id, JSON.stringify(id)]),
    ]);
    const data = dataOf(frames.presenceSucceededFrame('"presence-c"', listOf(members))) as {
      presence: { ids: string[]; hash: Record<string, unknown>; count: number };
    };
    assert.deepEqual(Object.keys(data), ["presence"]);
    assert.deepEqual(data.presence.ids, [...members.keys()]);
    assert.equal(data.presence.count, members.size);
    assert.deepEqual(
      new Map(Object.entries(data.presence.hash)),
      new Map([...members].map(([id, json]) => [id, JSON.parse(json)])),
    );
  });

  test("the list is what encoding everything twice gives, whatever ids and infos are", (t) => {
    const { below } = seededSource(t);
    const texts = ["a", "user-17", "~ !", ...NASTY];
    const text = () => randomText(below, texts, 3);
    for (let round = 0; round < 500; round++) {
      const members = new Map(
        Array.from({ length: round % 7 }, () => [text(), JSON.stringify({ [text()]: text() })]),
      );
      const list = listOf(members);
      const entries = [...members].map(([each, json]) => `${JSON.stringify(each)}:${json}`);
      const presence = `{"presence":{"ids":${JSON.stringify([...members.keys()])},"hash":{${entries.join(",")}},"count":${members.size}}}`;
      assert.equal(
        frames.presenceSucceededFrame('"presence-c"', list),
        `{"event":"pusher_internal:subscription_succeeded","channel":"presence-c","data":${JSON.stringify(presence)}}`,
      );
      assert.deepEqual([...membersOf(list)], [...members]);
    }
  });

  test("the hash of an empty presence channel is an object and not a list", () => {
    assert.deepEqual(dataOf(frames.presenceSucceededFrame('"presence-c"', new Map())), {
      presence: { ids: [], hash: {}, count: 0 },
    });
  });

  test("member_added and member_removed carry strings with the id as a string", () => {
    for (const userId of ["1", ...NASTY]) {
      const added = frames.memberAddedFrame('"presence-c"', { userId, userInfoJson: '{"a":"é"}' });
      assert.equal(parsed(added).event, "pusher_internal:member_added");
      assert.equal(parsed(added).channel, "presence-c");
      assert.deepEqual(dataOf(added), { user_id: userId, user_info: { a: "é" } });
      const removed = frames.memberRemovedFrame('"presence-c"', userId);
      assert.equal(parsed(removed).event, "pusher_internal:member_removed");
      assert.deepEqual(dataOf(removed), { user_id: userId });
    }
  });

  test("subscription_count carries a string with an integer", () => {
    assert.equal(
      frames.subscriptionCountFrame('"c"', 12),
      '{"event":"pusher_internal:subscription_count","channel":"c","data":"{\\"subscription_count\\":12}"}',
    );
  });

  test("cache_miss carries data of {}", () => {
    assert.equal(
      frames.cacheMissFrame('"cache-c"'),
      '{"event":"pusher:cache_miss","channel":"cache-c","data":"{}"}',
    );
  });

  test("subscription_error carries an object, without a type where there is none", () => {
    const failure = { type: "AuthError", error: "Bad.", status: 401 } as const;
    assert.deepEqual(parsed(frames.subscriptionErrorFrame('"private-x"', failure)), {
      event: "pusher:subscription_error",
      channel: "private-x",
      data: { type: "AuthError", error: "Bad.", status: 401 },
    });
    const untyped = { type: undefined, error: "Bad.", status: 4009 };
    assert.deepEqual(parsed(frames.subscriptionErrorFrame('"x"', untyped)).data, {
      error: "Bad.",
      status: 4009,
    });
  });
});
