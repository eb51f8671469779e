import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { App } from "../../src/apps/app.ts";
import type { Handshake } from "../../src/channels/channels.ts";
import { type Capacity, handshakeRefusal } from "../../src/channels/handshake.ts";
import { HANDSHAKE } from "../support/channels-node.ts";
import { createTestApp } from "../support/test-app.ts";

const ROOMY: Capacity = {
  nodeConnections: 9,
  maxNodeConnections: 10,
  addressConnections: 9,
  maxAddressConnections: 10,
  appConnections: 9,
  appConnectionsElsewhere: 0,
  isElsewhereSure: false,
};

function code(
  handshake: Partial<Handshake> = {},
  app: App | undefined = createTestApp(),
  capacity: Partial<Capacity> = {},
): number | undefined {
  return handshakeRefusal({ ...HANDSHAKE, ...handshake }, app, { ...ROOMY, ...capacity })?.code;
}

describe("handshakeRefusal", () => {
  test("lets a client in that gives no reason against it", () => {
    assert.equal(code(), undefined);
    assert.equal(code({ version: undefined }), undefined);
    assert.equal(code({ version: "" }), undefined);
  });

  test("protocols 4 to 7 are supported, none is 4008 and any other 4007", () => {
    for (const protocol of ["4", "5", "6", "7"]) assert.equal(code({ protocol }), undefined);
    for (const protocol of [undefined, ""]) assert.equal(code({ protocol }), 4008);
    for (const protocol of ["0", "1", "2", "3", "8", "70", "7.0", "-7", "x", "7x", "1e1", " 7"]) {
      assert.equal(code({ protocol }), 4007, protocol);
    }
  });

  test("a version that no library would send is 4006", () => {
    for (const version of ["8.4.0", "7.0.6-beta", "0.6.0", "5.1.1+build.7", "2.0.0-dev_3"]) {
      assert.equal(code({ version }), undefined, version);
    }
    for (const version of ["8.4.0 x", "<script>", "1".repeat(65), "é", "\n"]) {
      assert.equal(code({ version }), 4006, version);
    }
  });

  test("an app for TLS only sends plain connections away with 4000", () => {
    const app = createTestApp({ settings: { tlsOnly: true } });
    assert.equal(code({ isTls: false }, app), 4000);
    assert.equal(code({ isTls: true }, app), undefined);
  });

  test("an origin that the app does not list is 4009, a missing one too", () => {
    const app = createTestApp({ settings: { allowedOrigins: ["*.example.com"] } });
    assert.equal(code({ origin: "https://app.example.com" }, app), undefined);
    assert.equal(code({ origin: "https://example.org" }, app), 4009);
    assert.equal(code({ origin: undefined }, app), 4009);
    assert.equal(code({ origin: undefined }), undefined);
  });

  test("a quota used up by what other nodes have told is 4100 while that is not sure", () => {
    const app = createTestApp({ limits: { maxConnections: 10 } });
    assert.equal(code({}, app, { appConnectionsElsewhere: 1 }), 4100);
    assert.equal(code({}, app, { appConnections: 10, appConnectionsElsewhere: 1 }), 4004);
    assert.equal(code({}, app, { appConnections: 8, appConnectionsElsewhere: 1 }), undefined);
  });

  test("a full node or address is 4100, a used up quota of the app 4004", () => {
    const app = createTestApp({ limits: { maxConnections: 10 } });
    assert.equal(code({}, app), undefined);
    assert.equal(code({}, app, { nodeConnections: 10 }), 4100);
    assert.equal(code({}, app, { addressConnections: 10 }), 4100);
    assert.equal(code({}, app, { appConnections: 10 }), 4004);
    assert.equal(code({}, app, { appConnectionsElsewhere: 1, isElsewhereSure: true }), 4004);
  });

  test("the first reason in the order of protocol.md §1.6 is the one that is told", () => {
    const app = createTestApp({
      settings: { enabled: false, tlsOnly: true, allowedOrigins: ["example.com"] },
      limits: { maxConnections: 0 },
    });
    const handshake: Handshake = { ...HANDSHAKE, protocol: "", origin: "https://evil.example" };
    const full = { ...ROOMY, nodeConnections: 10, appConnections: 10 };
    const next = (): number | undefined => handshakeRefusal(handshake, app, full)?.code;
    assert.equal(handshakeRefusal(handshake, undefined, full)?.code, 4001);
    assert.equal(next(), 4003);
    app.settings = { ...app.settings, enabled: true };
    assert.equal(next(), 4000);
    app.settings = { ...app.settings, tlsOnly: false };
    assert.equal(next(), 4008);
    Object.assign(handshake, { protocol: "7" });
    assert.equal(next(), 4009);
    app.settings = { ...app.settings, allowedOrigins: [] };
    assert.equal(next(), 4100);
    full.nodeConnections = 0;
    assert.equal(next(), 4004);
    full.appConnections = -1;
    assert.equal(next(), undefined);
  });

  test("what strangers sent is told back quoted and cut", () => {
    const refusal = handshakeRefusal({ ...HANDSHAKE, appKey: `"${"k".repeat(5_000)}` }, undefined, {
      ...ROOMY,
    });
    assert.match(refusal?.message ?? "", /"\\"k+"/);
    assert.ok((refusal?.message.length ?? 0) < 200);
  });
});
