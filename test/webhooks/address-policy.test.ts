import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createAddressPolicy, LENIENT_RULES } from "../../src/webhooks/address-policy.ts";

describe("the address policy", () => {
  test("refuses link-local and metadata addresses in every notation, and nothing else", () => {
    const policy = createAddressPolicy();
    for (const address of [
      "169.254.0.1",
      "169.254.169.254",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "0:0:0:0:0:FFFF:169.254.169.254",
      "::ffff:0:169.254.169.254",
      "::a9fe:a9fe",
      "64:ff9b::a9fe:a9fe",
      "64:ff9b:1::169.254.169.254",
      "64:ff9b:1:7:8:9:a9fe:a9fe",
      "64:ff9b:1:a9fe:a9:fe00::",
      "64:ff9b:1:ffa9:fe:a9fe::",
      "64:ff9b:1:ffff:a9:fea9:fe00:0",
      "64:ff9b:1:6464:64:c800::",
      "2002:a9fe:a9fe::",
      "2002:6464:64c8:1::1",
      "fe80::1",
      "fe80::1%eth0",
      "febf::1",
      "fd00:ec2::254",
      "fd00:ec2::23",
      "fd00:ec2:ffff::1",
      "100.100.100.200",
      "::ffff:100.100.100.200",
      "168.63.129.16",
      "192.0.0.192",
    ]) {
      assert.equal(policy.isRefused(address, "receiver.test"), true, address);
    }
    for (const address of [
      "127.0.0.1",
      "10.0.0.1",
      "192.168.1.1",
      "::1",
      "fc00::1",
      "fec0::1",
      "fd00:ec3::23",
      "8.8.8.8",
      "169.253.1.1",
      "::ffff:a9fd:101",
      "64:ff9b:1::808:808",
      "2002:808:808::",
      "2001:0:a9fe:a9fe::",
      "::",
      "name",
    ]) {
      assert.equal(policy.isRefused(address, "receiver.test"), false, address);
    }
  });
});

describe("the address policy without private targets", () => {
  const STRICT = { ...LENIENT_RULES, refusesPrivate: true };

  test("refuses every address that the internet does not route, in every notation", () => {
    const policy = createAddressPolicy(STRICT);
    for (const address of [
      "0.0.0.0",
      "10.0.0.1",
      "100.64.0.1",
      "127.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.88.99.1",
      "192.168.1.1",
      "198.18.0.1",
      "203.0.113.1",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "::1",
      "::ffff:10.0.0.1",
      "::ffff:a00:1",
      "0:0:0:0:0:ffff:a00:1",
      "::10.0.0.1",
      "64:ff9b::a00:1",
      "::ffff:0:8.8.8.8",
      "::ffff:808:808:1",
      "64:ff9b:1::1",
      "100::1",
      "2001::1",
      "2001:10::1",
      "2001:1f:ffff::1",
      "2001:db8::1",
      "3fff::1",
      "3fff:fff::1",
      "2002:a00:1::",
      "fc00::1",
      "fdff::1",
      "fe80::1",
      "fe80::1%eth0",
      "fec0::1",
      "ff02::1",
    ]) {
      assert.equal(policy.isRefused(address, "receiver.test"), true, address);
    }
  });

  test("refuses nothing else", () => {
    const policy = createAddressPolicy(STRICT);
    for (const address of [
      "1.1.1.1",
      "8.8.8.8",
      "11.0.0.1",
      "100.63.255.255",
      "172.32.0.1",
      "223.255.255.255",
      "::ffff:8.8.8.8",
      "0:0:0:0:0:ffff:808:808",
      "2001:20::1",
      "3ffe::1",
      "192.88.98.1",
      "64:ff9b::808:808",
      "2606:4700::1",
      "2a00:1450::1",
      "name",
    ]) {
      assert.equal(policy.isRefused(address, "receiver.test"), false, address);
    }
  });

  test("lets ranges and hosts through that are allowed, and nothing beside them", () => {
    const allowed = ["10.1.0.0/16", "192.168.7.7", "fd12::/16", "receiver.internal"];
    const policy = createAddressPolicy({ ...STRICT, allowed });
    for (const [address, host, isRefused] of [
      ["10.1.2.3", "a.test", false],
      ["::ffff:10.1.2.3", "a.test", false],
      ["10.2.0.1", "a.test", true],
      ["192.168.7.7", "a.test", false],
      ["192.168.7.8", "a.test", true],
      ["fd12::1", "a.test", false],
      ["fd13::1", "a.test", true],
      ["10.2.0.1", "receiver.internal", false],
      ["10.2.0.1", "Receiver.Internal.", false],
      ["10.2.0.1", "x.receiver.internal", true],
    ] as const) {
      assert.equal(policy.isRefused(address, host), isRefused, `${address} of ${host}`);
    }
  });

  test("lets nobody allow what hands out credentials", () => {
    const allowed = ["0.0.0.0/0", "::/0", "receiver.internal"];
    const policy = createAddressPolicy({ ...STRICT, allowed });
    for (const address of ["169.254.169.254", "fe80::1", "100.100.100.200", "64:ff9b::a9fe:a9fe"]) {
      assert.equal(policy.isRefused(address, "receiver.internal"), true, address);
    }
    assert.equal(policy.isRefused("10.0.0.1", "a.test"), false);
  });
});
