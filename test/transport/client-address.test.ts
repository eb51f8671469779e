import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addressText, clientOf, createTrustedProxies } from "../../src/transport/client-address.ts";

const PROXIES = createTrustedProxies(["10.0.0.0/8", "192.168.1.7", "fd00::/8", "::1"]);

describe("createTrustedProxies", () => {
  test("trusts what the ranges and addresses say, and no junk", () => {
    for (const address of ["10.1.2.3", "192.168.1.7", "fd12::1", "::1", "0:0:0:0:0:0:0:1"]) {
      assert.equal(PROXIES.has(address), true, address);
    }
    for (const address of ["11.0.0.1", "192.168.1.8", "fe80::1", "", "unknown", "10.1.2.3:80"]) {
      assert.equal(PROXIES.has(address), false, address);
    }
    assert.equal(createTrustedProxies([]).isEmpty, true);
    assert.equal(PROXIES.isEmpty, false);
  });
});

describe("clientOf", () => {
  test("without trusted proxies, or from any other peer, the headers are not believed", () => {
    const none = createTrustedProxies([]);
    const expected = { address: "203.0.113.9", isForwardedTls: false };
    assert.deepEqual(clientOf("203.0.113.9", "1.2.3.4", "https", none), expected);
    assert.deepEqual(clientOf("203.0.113.9", "1.2.3.4", "https", PROXIES), expected);
  });

  test("the last address that no trusted proxy has is the client's: what is before it may be invented", () => {
    const client = (forwardedFor: string) =>
      clientOf("10.0.0.1", forwardedFor, "", PROXIES).address;
    assert.equal(client("203.0.113.9"), "203.0.113.9");
    assert.equal(client("1.1.1.1, 203.0.113.9"), "203.0.113.9");
    assert.equal(client("1.1.1.1,203.0.113.9 , 10.0.0.2,fd00::5"), "203.0.113.9");
    assert.equal(client("2001:db8::1, 192.168.1.7"), "2001:db8::1");
  });

  test("a chain of proxies alone gives the first of them, no header the peer", () => {
    const client = (forwardedFor: string) =>
      clientOf("10.0.0.1", forwardedFor, "", PROXIES).address;
    assert.equal(client("10.0.0.3, 10.0.0.2"), "10.0.0.3");
    assert.equal(client(""), "10.0.0.1");
    assert.equal(client(" , ,"), "10.0.0.1");
  });

  test("a port that the proxy adds is not part of the address", () => {
    const client = (forwardedFor: string) =>
      clientOf("10.0.0.1", forwardedFor, "", PROXIES).address;
    assert.equal(client("203.0.113.9:51234"), "203.0.113.9");
    assert.equal(client("203.0.113.9, 10.0.0.2:443"), "203.0.113.9");
    assert.equal(client("[2001:db8::1]:51234"), "2001:db8::1");
    assert.equal(client("[2001:db8::1]"), "2001:db8::1");
    assert.equal(client("2001:db8::1"), "2001:db8::1");
  });

  test("TLS is what the nearest trusted proxy says", () => {
    const isTls = (proto: string) => clientOf("10.0.0.1", "1.1.1.1", proto, PROXIES).isForwardedTls;
    for (const proto of ["https", "HTTPS", "wss", "http, https", " https "]) {
      assert.equal(isTls(proto), true, proto);
    }
    for (const proto of ["", "http", "ws", "https, http", "https,"]) {
      assert.equal(isTls(proto), false, proto);
    }
  });
});

describe("addressText", () => {
  const text = (...octets: number[]) => addressText(Uint8Array.from(octets).buffer);

  test("IPv4 reads with points, also when it comes within IPv6", () => {
    assert.equal(text(192, 168, 1, 7), "192.168.1.7");
    assert.equal(text(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 168, 1, 7), "192.168.1.7");
  });

  test("IPv6 reads in groups that a list of ranges understands", () => {
    const loopback = text(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    assert.equal(loopback, "0:0:0:0:0:0:0:1");
    assert.equal(PROXIES.has(loopback), true);
    const address = text(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4);
    assert.equal(address, "2001:db8:0:0:0:ffff:102:304");
  });

  test("no address is no text", () => {
    assert.equal(text(), "");
  });
});
