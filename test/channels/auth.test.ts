import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { authProblem } from "../../src/channels/auth.ts";
import { signingKey } from "../../src/protocol/signature.ts";
import { authFor, createTestApp, KEY, SECRET } from "../support/test-app.ts";

const CONTENT = "1234.1234:private-foobar";
const SIGNATURE = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4";

describe("authProblem", () => {
  const app = createTestApp();

  test("accepts the published signature", () => {
    assert.equal(authProblem(app, `${KEY}:${SIGNATURE}`, CONTENT), undefined);
  });

  test("says what is wrong: nothing, no colon, another key, another content", () => {
    assert.match(authProblem(app, "", CONTENT) ?? "", /auth is missing/);
    assert.match(authProblem(app, SIGNATURE, CONTENT) ?? "", /form <app key>:<signature>/);
    assert.match(authProblem(app, `other:${SIGNATURE}`, CONTENT) ?? "", /the key "other".*not an/);
    assert.match(authProblem(app, `:${SIGNATURE}`, CONTENT) ?? "", /the key "".*not an enabled/);
    assert.match(
      authProblem(app, `${KEY}:${SIGNATURE}`, "1234.1234:private-other") ?? "",
      /signature is wrong.*"1234\.1234:private-other"/,
    );
  });

  test("a wrong key is refused also when the signature itself is right", () => {
    assert.notEqual(authProblem(app, authFor(CONTENT, "other"), CONTENT), undefined);
  });

  test("any enabled key of the app will do, with its own secret only", () => {
    const keys = ["a", "b"].map((key) => ({ key, signingKey: signingKey(`secret of ${key}`) }));
    const two = createTestApp({
      settings: { keys: new Map(keys.map((pair) => [pair.key, pair])) },
    });
    assert.equal(authProblem(two, authFor(CONTENT, "a", "secret of a"), CONTENT), undefined);
    assert.equal(authProblem(two, authFor(CONTENT, "b", "secret of b"), CONTENT), undefined);
    assert.notEqual(authProblem(two, authFor(CONTENT, "a", "secret of b"), CONTENT), undefined);
    assert.notEqual(authProblem(two, authFor(CONTENT), CONTENT), undefined);
  });

  test("tells neither the secret nor the signature that would have been right, and stays short", () => {
    const long = `1.1:private-${"x".repeat(10_000)}`;
    for (const auth of ["", "nonsense", `${KEY}:bad`, `${"k".repeat(10_000)}:bad`]) {
      const problem = authProblem(app, auth, long) ?? "";
      assert.ok(problem.length < 800, `${problem.length} characters`);
      assert.ok(!problem.includes(SECRET));
      assert.ok(!problem.includes(authFor(long).split(":")[1] ?? ""));
    }
  });
});
