import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CommandFailure } from "../../src/cli/command-failure.ts";
import { type AccessOptions, findApp, findServer } from "../../src/cli/webhooks-access.ts";
import { fakeWorld } from "./fake-world.ts";

const ONE = { id: "1", key: "k1", secret: "hush-1" };
const TWO = {
  id: "2",
  keys: [
    { key: "off", secret: "hush-off", enabled: false },
    { key: "k2", secret: "hush-2" },
    { key: "k3", secret: "hush-3" },
  ],
};

function world(t: TestContext, config?: unknown, env: Record<string, string> = {}) {
  const path = mkdtempSync(join(tmpdir(), "pipit-access-"));
  t.after(() => rmSync(path, { recursive: true }));
  if (config !== undefined) writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return fakeWorld(path, { env });
}

function config(apps: readonly unknown[], more: object = {}) {
  return { app_manager: { apps }, ...more };
}

function failure(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof CommandFailure, String(error));
    assert.equal(error.exitCode, 2);
    assert.doesNotMatch(error.message, /hush/);
    return error.message;
  }
  return "no failure";
}

test("the only app is meant unless another is named; of several one has to be", (t) => {
  const alone = findApp(world(t, config([ONE])), {});
  assert.deepEqual([alone.appId, alone.pairs], ["1", [{ key: "k1", secret: "hush-1" }]]);
  const both = world(t, config([ONE, TWO]));
  const { pairs } = findApp(both, { app: "2" });
  assert.deepEqual(
    pairs.map(({ key }) => key),
    ["k2", "k3"],
  );
  assert.match(
    failure(() => findApp(both, {})),
    /which app is meant with --app: .* has 1, 2/,
  );
  assert.match(
    failure(() => findApp(both, { app: "3" })),
    /no app "3" in .*it has 1, 2.*--config/,
  );
});

test("a configuration that cannot be used is named with its first problem and a way out", (t) => {
  const text = failure(() => findApp(world(t, config([{ id: "1" }])), {}));
  assert.match(text, /config\.json cannot be used \(app_manager.*pipit check.*PIPIT_APP_SECRET/);
  const off = { ...TWO, keys: [{ key: "off", secret: "hush-off", enabled: false }] };
  assert.match(
    failure(() => findApp(world(t, config([off])), {})),
    /"2" has no enabled key/,
  );
});

test("key and secret of the environment need no file when app and place are named", (t) => {
  const env = { PIPIT_APP_KEY: "ke", PIPIT_APP_SECRET: "hush-e" };
  const options: AccessOptions = { app: "9", url: "https://pipit.example/rt/" };
  const far = world(t, undefined, env);
  const access = findApp(far, options);
  assert.deepEqual([access.appId, access.pairs[0].key], ["9", "ke"]);
  const server = findServer(far, options, access.config);
  assert.deepEqual(server, { base: "https://pipit.example/rt", certificate: undefined });
  const near = findApp(world(t, config([ONE]), env), {});
  assert.deepEqual([near.appId, near.pairs[0].key], ["1", "ke"]);
});

test("an app that stands in the environment as a whole is read as the server reads it", (t) => {
  const env = { PIPIT_APP_ID: "7", PIPIT_APP_KEY: "ke", PIPIT_APP_SECRET: "hush-e" };
  const { appId, app } = findApp(world(t, undefined, env), {});
  assert.deepEqual([appId, app?.id], ["7", "7"]);
});

test("the server is where the configuration says, seen from this machine", (t) => {
  const base = (more: object, options: AccessOptions = {}) => {
    const here = world(t, config([ONE], more));
    return findServer(here, options, findApp(here, options).config).base;
  };
  assert.equal(base({}), "http://127.0.0.1:6001");
  assert.equal(base({ host: "0.0.0.0", port: 80, path_prefix: "/rt" }), "http://127.0.0.1:80/rt");
  assert.equal(base({ host: "::" }), "http://[::1]:6001");
  assert.equal(base({ port: 0 }, { url: "http://h:1" }), "http://h:1");
  assert.match(
    failure(() => base({ port: 0 })),
    /name it with --url/,
  );
  assert.match(
    failure(() => base({}, { url: "h:1" })),
    /--url is "h:1", something like http/,
  );
});
