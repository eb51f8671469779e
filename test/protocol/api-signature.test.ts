import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Pusher from "pusher";
import { readApiQuery } from "../../src/protocol/api-query.ts";
import * as signatures from "../../src/protocol/api-signature.ts";
import { signingKey } from "../../src/protocol/signature.ts";

const KEY = "278d425bdf160c739803";
const SECRET = "7ad3773142a6692b25b8";

function isSigned(method: string, path: string, query: string): boolean {
  return signatures.isSignedRequest(signingKey(SECRET), method, [path], readApiQuery(query));
}

describe("the vectors of the reference", () => {
  const body = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}';
  const auth = `auth_key=${KEY}&auth_timestamp=1353088179&auth_version=1.0`;
  const post = `${auth}&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c`;
  const get = `${auth}&filter_by_prefix=presence-&info=user_count&auth_signature=16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291`;

  test("the digest of the body", () => {
    assert.equal(signatures.bodyMd5(Buffer.from(body)), "ec365a775a4cd0599faeb73354201b6f");
    assert.equal(signatures.bodyMd5(Buffer.alloc(0)), "d41d8cd98f00b204e9800998ecf8427e");
  });

  test("the signatures of a publish and of a read", () => {
    assert.equal(isSigned("POST", "/apps/3/events", post), true);
    assert.equal(isSigned("GET", "/apps/3/channels", get), true);
  });

  test("another method, path, parameter, secret or signature is refused", () => {
    assert.equal(isSigned("GET", "/apps/3/events", post), false);
    assert.equal(isSigned("POST", "/apps/4/events", post), false);
    assert.equal(
      isSigned("POST", "/apps/3/events", post.replace("1353088179", "1353088180")),
      false,
    );
    assert.equal(isSigned("POST", "/apps/3/events", `extra=1&${post}`), false);
    assert.equal(isSigned("POST", "/apps/3/events", post.slice(0, -1)), false);
    assert.equal(isSigned("POST", "/apps/3/events", auth), false);
    const query = readApiQuery(post);
    const other = signingKey("other");
    assert.equal(signatures.isSignedRequest(other, "POST", ["/apps/3/events"], query), false);
  });
});

test("what the pusher library signs is accepted", () => {
  const pusher = new Pusher({ appId: "3", key: KEY, secret: SECRET, host: "localhost" });
  const post = pusher.createSignedQueryString({
    method: "POST",
    path: "/apps/3/events",
    body: '{"name":"é"}',
  });
  assert.equal(isSigned("POST", "/apps/3/events", post), true);
  const get = pusher.createSignedQueryString({
    method: "GET",
    path: "/apps/3/channels",
    params: { info: "user_count,subscription_count", filter_by_prefix: "presence-" },
  });
  assert.equal(isSigned("GET", "/apps/3/channels", get), true);
  assert.equal(isSigned("GET", "/apps/3/channels", get.replace("count,sub", "count%2Csub")), true);
});

describe("signablePaths", () => {
  test("the path without a prefix comes first, then the one with it", () => {
    assert.deepEqual(signatures.signablePaths("/apps/3/events", ""), ["/apps/3/events"]);
    assert.deepEqual(signatures.signablePaths("/apps/3/events", "/ws"), [
      "/apps/3/events",
      "/ws/apps/3/events",
    ]);
  });

  test("a path that a proxy encoded is tried decoded, after itself", () => {
    assert.deepEqual(signatures.signablePaths("/users/a%40b", "/p"), [
      "/users/a%40b",
      "/p/users/a%40b",
      "/users/a@b",
      "/p/users/a@b",
    ]);
  });
});
