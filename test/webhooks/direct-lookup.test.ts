import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { listedAddresses, lookUpDirectly } from "../../src/webhooks/direct-lookup.ts";

const HOSTS = `127.0.0.1 localhost
# 10.0.0.9 receiver.test
10.0.0.1\tReceiver.Test alias # receiver2.test
fd00::1 receiver.test
nonsense receiver.test
`;

describe("looking a name up without the system", () => {
  test("finds every address that the hosts file lists for it, by any of its names and in any case", () => {
    const both = [
      { address: "10.0.0.1", family: 4 },
      { address: "fd00::1", family: 6 },
    ];
    assert.deepEqual(listedAddresses(HOSTS, "receiver.test"), both);
    assert.deepEqual(listedAddresses(HOSTS, "ALIAS"), both.slice(0, 1));
    assert.deepEqual(listedAddresses(HOSTS, "receiver2.test"), []);
    assert.deepEqual(listedAddresses(HOSTS, "test"), []);
  });

  test("asks no DNS server for a name without a dot, and does without a hosts file", async () => {
    assert.deepEqual(await lookUpDirectly("receiver", "/nowhere/hosts"), []);
  });
});
