/** Whose requests are answered. protocol.md §6.1. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type HttpReply,
  type SignedRequest,
  send,
  sendSigned,
  signedTarget,
} from "../support/http-request.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";

const EVENT = { name: "x", channel: "a", data: "" };
const EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e";

async function statusOf(pipit: Pipit, request: SignedRequest): Promise<number> {
  const { status, json } = await sendSigned(pipit.port, request);
  if (status !== 200) assert.equal((json as { code: number }).code, status);
  return status;
}

describe("a request is refused with 401", () => {
  const publish: SignedRequest = { path: "/events", body: EVENT };
  for (const [what, request] of [
    ["signed with another secret", { ...publish, secret: "wrong" }],
    ["with a key of no app", { ...publish, key: "nobody" }],
    ["with a body other than the signed", { ...publish, md5: "0".repeat(32) }],
    ["with a body and no body_md5", { ...publish, md5: null }],
    ["with a query other than the signed", { ...publish, tamper: (target) => `${target}&info=x` }],
    [
      "with a path other than the signed",
      { ...publish, tamper: (target) => target.replace("/events", "/batch_events") },
    ],
    [
      "with another key in place of the signed",
      { ...publish, tamper: (target) => target.replace(APP.key, "other") },
    ],
    [
      "without a signature",
      { ...publish, tamper: (target) => target.replace(/&auth_signature=.*/, "") },
    ],
    ["with a signature cut short", { ...publish, tamper: (target) => target.slice(0, -1) }],
    [
      "with a signature in upper case",
      { ...publish, tamper: (target) => target.replace(/[^=]*$/, (hex) => hex.toUpperCase()) },
    ],
    ["without any query", { ...publish, tamper: (target) => target.replace(/\?.*/, "") }],
    ["with a timestamp that is no number", { ...publish, timestamp: Number.NaN }],
    [
      "with a GET signed as a POST",
      {
        method: "GET",
        path: "/channels",
        tamper: () => signedTarget({ method: "POST", path: "/channels" }),
      },
    ],
  ] as readonly (readonly [string, SignedRequest])[]) {
    test(what, async (t) => {
      const pipit = await startPipit(t);
      assert.equal(await statusOf(pipit, request), 401);
    });
  }

  test("of another app of the same server", async (t) => {
    const other = { id: "43", key: "other-key", secret: "other-secret" };
    const pipit = await startPipit(t, {}, { app_manager: { apps: [other] } });
    assert.equal(await statusOf(pipit, { ...publish, key: other.key, secret: other.secret }), 401);
  });
});

test("auth_timestamp may be 600 s away from the server's clock, either way, and no more", async (t) => {
  const nowS = 1_800_000_000;
  const pipit = await startPipit(t, {}, {}, { now: () => nowS * 1_000 });
  const statuses: number[] = [];
  for (const offset of [-601, -600, 0, 600, 601]) {
    statuses.push(
      await statusOf(pipit, { method: "GET", path: "/channels", timestamp: nowS + offset }),
    );
  }
  assert.deepEqual(statuses, [401, 200, 200, 200, 401]);
});

test("a GET may carry the body_md5 of its empty body, which is then part of what is signed", async (t) => {
  const pipit = await startPipit(t);
  const read: SignedRequest = { method: "GET", path: "/channels", md5: EMPTY_MD5 };
  assert.equal(await statusOf(pipit, read), 200);
  assert.equal(await statusOf(pipit, { ...read, md5: "0".repeat(32) }), 401);
});

test("an unknown app is 404, a disabled one 403", async (t) => {
  const pipit = await startPipit(t, { enabled: false, key: "off-key" });
  assert.equal(await statusOf(pipit, { path: "//apps/nobody/events", body: EVENT }), 404);
  assert.equal(await statusOf(pipit, { path: "/events", body: EVENT, key: "off-key" }), 403);
});

test("every enabled key of an app signs, a disabled one does not", async (t) => {
  const pipit = await startPipit(t, {
    key: undefined,
    secret: undefined,
    keys: [
      { key: "old", secret: "old-secret", enabled: false },
      { key: "current", secret: "current-secret" },
      { key: "next", secret: "next-secret" },
    ],
  });
  const statuses: number[] = [];
  for (const [key, secret] of [
    ["old", "old-secret"],
    ["current", "current-secret"],
    ["next", "next-secret"],
    ["next", "current-secret"],
  ] as const) {
    statuses.push(await statusOf(pipit, { path: "/events", body: EVENT, key, secret }));
  }
  assert.deepEqual(statuses, [401, 200, 200, 401]);
});

test("the path is signed as it was written, or decoded where a proxy has encoded it", async (t) => {
  const pipit = await startPipit(t);
  const path = "/channels/a=b@c,d;e";
  const read: SignedRequest = { method: "GET", path };
  assert.equal(await statusOf(pipit, read), 200);
  const encode = (target: string): string => target.replace("a=b@c,d;e", "a%3Db%40c%2Cd%3Be");
  assert.equal(await statusOf(pipit, { ...read, tamper: encode }), 200);
});

test("query values are signed decoded, and keys in lower case", async (t) => {
  const pipit = await startPipit(t, { enable_subscription_count: true });
  const query = { info: "subscription_count,user_count", filter_by_prefix: "presence-a;b@c=d" };
  assert.equal(await statusOf(pipit, { method: "GET", path: "/channels", query }), 400);
  const one = { ...query, info: "user_count" };
  assert.equal(await statusOf(pipit, { method: "GET", path: "/channels", query: one }), 200);
  const upper = { Filter_By_Prefix: "a" };
  assert.equal(await statusOf(pipit, { method: "GET", path: "/channels", query: upper }), 200);
});

test("below a path prefix both the path with it and the path without it may be signed", async (t) => {
  const pipit = await startPipit(t, {}, { path_prefix: "/pusher" });
  const read: SignedRequest = { method: "GET", path: "/channels" };
  assert.equal(await statusOf(pipit, { ...read, tamper: (target) => `/pusher${target}` }), 200);
  assert.equal(await statusOf(pipit, { ...read, path: `//pusher/apps/${APP.id}/channels` }), 200);
  assert.equal(await statusOf(pipit, read), 200);
});

test("an answer to an unsigned request tells what to sign and no secret", async (t) => {
  const pipit = await startPipit(t);
  const { text } = await sendSigned(pipit.port, { path: "/events", body: EVENT, secret: "wrong" });
  assert.ok(text.includes("POST\\\\n/apps/42/events\\\\nauth_key=test-key"), text);
  assert.ok(!text.includes(APP.secret));
});

test("terminate_connections takes {} and no body, and finds the app by its key where the path has none", async (t) => {
  const pipit = await startPipit(t);
  const path = "/users/ann/terminate_connections";
  const replies: HttpReply[] = [
    await sendSigned(pipit.port, { path, body: {} }),
    await sendSigned(pipit.port, { path }),
    await sendSigned(pipit.port, { path: `/${path}`, body: {} }),
  ];
  assert.deepEqual(
    replies.map(({ status, text }) => [status, text]),
    replies.map(() => [200, "{}"]),
  );
  const unsigned = await send(pipit.port, "POST", path, {}, Buffer.from("{}"));
  assert.equal(unsigned.status, 401);
});
