import assert from "node:assert/strict";
import { describe, test } from "node:test";
import Pusher from "pusher";
import { signingKey } from "../../src/protocol/signature.ts";
import { createTestApi, KEY, NOW_S, SECRET, signedQuery, testSettings } from "./test-api.ts";

const EVENTS = "/apps/3/events";
const CHANNELS = "/apps/3/channels";
const BODY = '{"name":"foo","channel":"a","data":""}';
const SETTINGS = { pathPrefix: "/ws", maxBodyBytes: 1_000, corsOrigins: ["*"] };

describe("who may use the API", () => {
  test("an unsigned publish is refused before its body is read", async () => {
    const api = createTestApi();
    const answer = await api.request({ path: EVENTS, body: BODY, query: "" });
    assert.equal(answer.status, 401);
    assert.equal(answer.wasBodyRead, false);
    assert.deepEqual(answer.json, {
      error: 'auth_key is missing, an enabled key of app "3" is needed.',
      code: 401,
    });
    assert.equal(api.published.length, 0);
  });

  test("a wrong signature is refused before the body is read, with what should have been signed", async () => {
    const api = createTestApi();
    const query = signedQuery("POST", "/apps/3/other", {}, BODY);
    const answer = await api.request({ path: EVENTS, body: BODY, query });
    assert.equal(answer.status, 401);
    assert.equal(answer.wasBodyRead, false);
    assert.match(answer.error, /"POST\\n\/apps\/3\/events\\nauth_key=/);
    assert.ok(!answer.body.includes(SECRET));
    assert.ok(!answer.body.includes(query.slice(-64)), "the signature is not repeated");
  });

  test("the key must be an enabled key of the app in the path", async () => {
    const two = [KEY, "second"].map(
      (key) => [key, { key, signingKey: signingKey(SECRET) }] as const,
    );
    const api = createTestApi(testSettings({ keys: new Map(two) }));
    const status = async (auth_key: string) =>
      (await api.request({ path: CHANNELS, params: { auth_key } })).status;
    assert.equal(await status("second"), 200);
    assert.equal(await status("third"), 401);
    assert.equal(await status("__proto__"), 401);
  });

  test("an unknown app is 404, a disabled one 403", async () => {
    const unknown = await createTestApi().request({ path: "/apps/4/channels" });
    assert.deepEqual([unknown.status, unknown.error], [404, 'There is no app "4".']);
    const disabled = createTestApi(testSettings({ enabled: false }));
    const answer = await disabled.request({ path: CHANNELS });
    assert.deepEqual([answer.status, answer.error], [403, 'App "3" is disabled.']);
  });

  test("a timestamp may be 600 s off, either way, and no more", async () => {
    const api = createTestApi();
    const statusAt = async (auth_timestamp: string) =>
      (await api.request({ path: CHANNELS, params: { auth_timestamp } })).status;
    assert.equal(await statusAt(`${NOW_S - 600}`), 200);
    assert.equal(await statusAt(`${NOW_S + 600}`), 200);
    assert.equal(await statusAt(`${NOW_S - 601}`), 401);
    assert.equal(await statusAt(`${NOW_S + 601}`), 401);
    for (const odd of ["", "now", "1e9", `${NOW_S}.5`, "-1", "Infinity"]) {
      assert.equal(await statusAt(odd), 401, odd);
    }
    const late = await api.request({
      path: CHANNELS,
      params: { auth_timestamp: `${NOW_S - 700}` },
    });
    assert.match(late.error, /700 s away from the server's clock .*600 s are allowed/);
  });

  test("auth_version is 1.0", async () => {
    const params = { auth_version: "2.0" };
    const answer = await createTestApi().request({ path: CHANNELS, params });
    assert.equal(answer.status, 401);
    assert.match(answer.error, /auth_version is "2.0"/);
  });

  test("a body needs its MD5, and the right one; both refusals send nothing", async () => {
    const api = createTestApi();
    const missing = await api.request({
      path: EVENTS,
      body: BODY,
      query: signedQuery("POST", EVENTS),
    });
    assert.equal(missing.status, 401);
    assert.match(missing.error, /body_md5 is missing/);
    const other = signedQuery("POST", EVENTS, {}, `${BODY} `);
    const wrong = await api.request({ path: EVENTS, body: BODY, query: other });
    assert.equal(wrong.status, 401);
    assert.match(wrong.error, /body_md5 is .* the MD5 of the 38 bytes received is/);
    assert.equal(api.published.length, 0);
  });

  test("body_md5 on a GET is checked against the body that is not there", async () => {
    const api = createTestApi();
    const statusWith = async (body_md5: string) =>
      (await api.request({ path: CHANNELS, params: { body_md5 } })).status;
    assert.equal(await statusWith("d41d8cd98f00b204e9800998ecf8427e"), 200);
    assert.equal(await statusWith("ec365a775a4cd0599faeb73354201b6f"), 401);
  });

  test("a path is accepted as signed raw and percent-encoded on the way, and as signed encoded", async () => {
    const api = createTestApi();
    const raw = "/apps/3/channels/presence-a=@,;/users";
    const encoded = "/apps/3/channels/presence-a%3D%40%2C%3B/users";
    assert.equal((await api.request({ path: raw })).status, 200);
    assert.equal((await api.request({ path: encoded })).status, 200);
    assert.equal((await api.request({ path: encoded, signedPath: raw })).status, 200);
    assert.equal((await api.request({ path: raw, signedPath: encoded })).status, 401);
  });

  test("with a path prefix both the stripped and the full path may be signed and sent", async () => {
    const api = createTestApi(testSettings(), { settings: SETTINGS });
    for (const path of ["/ws/apps/3/channels", "/apps/3/channels"]) {
      for (const signedPath of ["/ws/apps/3/channels", "/apps/3/channels"]) {
        const answer = await api.request({ path, signedPath });
        assert.equal(answer.status, 200, `${path} signed as ${signedPath}`);
      }
    }
    const joined = await api.request({ path: "/wsapps/3/channels" });
    assert.match(joined.error, /nothing at "\/wsapps\/3\/channels"/);
    assert.equal((await api.request({ path: "/other/apps/3/channels" })).status, 404);
  });

  test("requests of the pusher library are accepted", async () => {
    const api = createTestApi();
    api.nowMs = Date.now();
    const pusher = new Pusher({ appId: "3", key: KEY, secret: SECRET, host: "localhost" });
    const body = '{"name":"é","data":"\\"x\\"","channels":["a"]}';
    const post = pusher.createSignedQueryString({ method: "POST", path: EVENTS, body });
    assert.equal((await api.request({ path: EVENTS, body, query: post })).status, 200);
    const params = { filter_by_prefix: "presence-", info: "user_count" };
    const get = pusher.createSignedQueryString({ method: "GET", path: CHANNELS, params });
    assert.equal((await api.request({ path: CHANNELS, query: get })).status, 200);
  });
});
