import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { loadConfig } from "../../src/config/load-config.ts";
import { maskSecrets } from "../../src/config/mask.ts";
import { CERTIFICATE, KEY, OTHER_KEY } from "./certificate.ts";

const MUTUAL = { client_certificate: "cert.pem", client_key: "key.pem" };

function load(t: TestContext, webhook: object, webhooks: object = {}) {
  const cwd = mkdtempSync(join(tmpdir(), "pipit-config-"));
  t.after(() => rmSync(cwd, { recursive: true }));
  for (const [name, text] of Object.entries({ cert: CERTIFICATE, key: KEY, other: OTHER_KEY })) {
    writeFileSync(join(cwd, `${name}.pem`), text);
  }
  const hook = { url: "https://receiver.example/", ...webhook };
  const app = { id: "1", key: "k", secret: "s", webhooks: [hook] };
  writeFileSync(
    join(cwd, "config.json"),
    JSON.stringify({ webhooks, app_manager: { apps: [app] } }),
  );
  const loaded = loadConfig({ env: {}, flags: {}, cwd });
  const problems = "problems" in loaded ? loaded.problems : [];
  return {
    cwd,
    problems: problems.map((line) => line.replace(/^app_manager\.apps\[0\]\.webhooks\[0\]\./, "")),
    loaded,
  };
}

function configured(t: TestContext, webhook: object) {
  const { cwd, loaded, problems } = load(t, webhook);
  assert.deepEqual(problems, []);
  assert.ok("config" in loaded);
  return { cwd, config: loaded.config, webhook: loaded.config.app_manager.apps[0]?.webhooks[0] };
}

test("files of a webhook are looked for beside the configuration, and PEM is taken as it is", (t) => {
  const { cwd, webhook } = configured(t, { ca: CERTIFICATE, ...MUTUAL });
  assert.equal(webhook?.ca, CERTIFICATE);
  assert.equal(webhook?.client_certificate, join(cwd, "cert.pem"));
  assert.equal(webhook?.client_key, join(cwd, "key.pem"));
});

test("a file that is missing or holds something else is refused by name before anything starts", (t) => {
  for (const [webhook, problem] of [
    [{ ca: "gone.pem" }, /^ca: found ".*gone\.pem", which does not exist: correct the path$/],
    [{ ca: "." }, /^ca: .*is a directory/],
    [{ ca: "key.pem" }, /^ca: .*holds no certificate in PEM$/],
    [{ ...MUTUAL, client_key: "cert.pem" }, /^client_key: .*holds no private key in PEM/],
    [{ ...MUTUAL, client_key: "other.pem" }, /^client_key: is not the key of the certificate/],
    [{ client_certificate: "cert.pem" }, /^client_key: is missing, needed/],
    [{ client_key: "key.pem" }, /^client_certificate: is missing, needed/],
    [{ url: "http://a.example/", ca: "cert.pem" }, /^url: found an http URL, needed: https/],
  ] as const) {
    const { problems } = load(t, webhook);
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", problem);
  }
});

test("a key is never shown, neither when it is wrong nor among what is in effect", (t) => {
  const broken = KEY.replace("MIGH", "AAAA");
  const { problems } = load(t, { ...MUTUAL, client_key: broken });
  assert.match(problems.join("\n"), /^client_key: found a PEM text, which holds no private key/);
  assert.doesNotMatch(problems.join("\n"), /AAAA|BEGIN/);
  const { config } = configured(t, { client_certificate: CERTIFICATE, client_key: KEY });
  const shown = JSON.stringify(maskSecrets(config));
  assert.match(shown, /"client_key":"\*+"/);
  assert.doesNotMatch(shown, /PRIVATE KEY/);
});

test("with https_only an endpoint whose url is http is refused", (t) => {
  const { problems } = load(t, { url: "http://a.example/" }, { https_only: true });
  assert.deepEqual(problems, ["url: found an http URL, allowed: https, by webhooks.https_only"]);
  assert.deepEqual(load(t, {}, { https_only: true }).problems, []);
});

test("a list of allowed targets that changes nothing is worth a warning", (t) => {
  const warnings = (webhooks: object) => {
    const { loaded } = load(t, {}, webhooks);
    return "config" in loaded ? loaded.warnings : [];
  };
  const list = { allowed_targets: ["10.0.0.0/8"] };
  assert.match(warnings(list).join(), /^webhooks\.allowed_targets: changes nothing while/);
  assert.deepEqual(warnings({ ...list, private_targets: "refuse" }), []);
});

test("allowed targets are ranges, addresses and host names, and nothing that only looks so", (t) => {
  const good = ["10.0.0.0/8", "10.0.0.1", "fd00::/8", "::1", "Receiver.internal", "host_1"];
  assert.deepEqual(load(t, {}, { allowed_targets: good }).problems, []);
  for (const bad of ["10.0.0.0/33", "10.0.0", "999.0.0.1", "http://a", "a b", "*.internal", ""]) {
    const { problems } = load(t, {}, { allowed_targets: [bad] });
    assert.equal(problems.length, 1, `${bad}: ${problems.join()}`);
    assert.match(problems[0] ?? "", /^webhooks\.allowed_targets\[0\]: .*an address range such as/);
  }
});
