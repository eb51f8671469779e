import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { faultOf, outcomeOf, retryAfterMs } from "../../src/webhooks/outcome.ts";
import { answered } from "./fake-target.ts";

const NOW = Date.parse("2026-11-24T10:00:00Z");

describe("an answer", () => {
  test("belongs to one class", () => {
    const classes = [200, 204, 301, 400, 499, 500, 599, 101].map((each) =>
      outcomeOf(answered(each)),
    );
    assert.deepEqual(classes, ["2xx", "2xx", "3xx", "4xx", "4xx", "5xx", "5xx", "5xx"]);
    assert.equal(outcomeOf({ kind: "timeout", reason: "x" }), "timeout");
  });

  test("is the batch's fault only when the receiver read it and refused", () => {
    const faults = (statuses: number[]) => new Set(statuses.map((each) => faultOf(answered(each))));
    assert.deepEqual(faults([400, 402, 405, 413, 422, 451]), new Set(["batch"]));
    assert.deepEqual(faults([401, 403, 404]), new Set(["doubtful"]));
    assert.deepEqual(faults([408, 409, 425, 429, 500, 503, 302]), new Set(["endpoint"]));
    assert.deepEqual(faults([410]), new Set(["gone"]));
    assert.equal(faultOf({ kind: "connection", reason: "ECONNREFUSED" }), "endpoint");
  });

  test("asks to wait in seconds or until a date; anything else is no wish", () => {
    const wait = (value: string) => retryAfterMs(answered(503, value), NOW);
    assert.equal(wait("120"), 120_000);
    assert.equal(wait("Tue, 24 Nov 2026 10:00:30 GMT"), 30_000);
    assert.equal(wait("Tue, 24 Nov 2026 09:00:00 GMT"), 0);
    for (const nonsense of ["", "soon", "-5"]) assert.equal(wait(nonsense), 0, nonsense);
    assert.equal(retryAfterMs(answered(503), NOW), 0);
  });
});
