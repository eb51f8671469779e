import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLogger, type LoggerOptions, REDACTED } from "../../src/observability/logger.ts";

function open(options: LoggerOptions) {
  const lines: string[] = [];
  return { lines, log: createLogger(options, { write: (line) => void lines.push(line) }) };
}

describe("createLogger", () => {
  test("writes one JSON object per line, with a named level and an ISO time", () => {
    const { lines, log } = open({ level: "info", format: "auto" });
    log.child({ room: "webhooks" }).warn({ app_id: "1", attempt: 2 }, "webhook attempt failed");
    assert.equal(lines.length, 1);
    assert.ok(lines[0]?.endsWith("\n"));
    const { level, time, room, app_id, attempt, msg } = JSON.parse(lines[0] ?? "");
    assert.deepEqual([level, room, app_id, attempt], ["warn", "webhooks", "1", 2]);
    assert.equal(msg, "webhook attempt failed");
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test("what is below the level is not written", () => {
    const { lines, log } = open({ level: "warn", format: "json" });
    log.info({}, "a");
    log.error({}, "b");
    assert.equal(lines.length, 1);
  });

  test("secrets and signatures are redacted at the top and up to two levels down", () => {
    const { lines, log } = open({ level: "debug", format: "json" });
    const leaky = {
      secret: "leak",
      auth: "leak",
      auth_signature: "leak",
      signature: "leak",
      passphrase: "leak",
      password: "leak",
      authorization: "leak",
      Authorization: "leak",
      "x-pusher-signature": "leak",
      "X-Pusher-Signature": "leak",
      key: "public",
    };
    log.debug(leaky, "a");
    log.debug({ app: leaky }, "b");
    log.debug({ request: { headers: leaky }, apps: [leaky] }, "c");
    log.child({ secret: "leak" }).info({}, "d");
    assert.equal(lines.length, 4);
    for (const line of lines) {
      assert.doesNotMatch(line, /leak/);
      assert.ok(line.includes(REDACTED));
    }
    assert.equal(JSON.parse(lines[1] ?? "").app.key, "public");
  });

  test("an error keeps its code, its cause and its stack in `err`", () => {
    const { lines, log } = open({ level: "info", format: "json" });
    const cause = new Error("refused");
    log.error({ err: Object.assign(new Error("away", { cause }), { code: "PIPIT_X" }) }, "failed");
    const { err } = JSON.parse(lines[0] ?? "");
    assert.equal(err.code, "PIPIT_X");
    assert.match(err.message, /away.*refused/);
    assert.match(err.stack, /logger\.test/);
  });

  test("pretty lines are for people, written at once, and redacted too", () => {
    const { lines, log } = open({ level: "info", format: "pretty" });
    log.info({ port: 6001, app: { secret: "leak" } }, "listening");
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /INFO.*listening/);
    assert.match(lines[0] ?? "", /port: 6001/);
    assert.doesNotMatch(lines[0] ?? "", /leak|pid|hostname/);
  });
});
