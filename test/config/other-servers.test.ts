/** Whole configuration files as other Pusher-compatible servers ship them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { readConfig } from "../../src/config/read-config.ts";

const APP = { id: "1", key: "k", secret: "s" };

function read(input: unknown) {
  const found = readConfig(input);
  return "problems" in found
    ? { problems: found.problems, warnings: [], config: undefined }
    : { ...found, problems: [] };
}

const fixture = (name: string) =>
  read(JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), "utf8")));

describe("a whole file of another server", () => {
  test("with its defaults in camelCase is read with warnings only", () => {
    const { problems, warnings, config } = fixture("camel-case-server");
    assert.deepEqual(problems, []);
    assert.equal(config?.ssl, undefined);
    assert.deepEqual(config?.cors.origins, ["*"]);
    assert.equal(config?.app_manager.apps[0]?.id, "app-id");
    assert.match(warnings.join("\n"), /^ssl\.certPath: is empty, .* so the port is plain\.$/m);
    for (const line of warnings) assert.match(line, /means nothing here|port is plain/);
  });

  test("with policies and TLS switched off is read with warnings only", () => {
    const { problems, warnings, config } = fixture("nested-policy-server");
    assert.deepEqual(problems, []);
    assert.equal(config?.ssl, undefined);
    assert.deepEqual(config?.cors.origins, ["https://a.example"]);
    assert.equal(config?.app_manager.apps[0]?.webhooks.length, 1);
    const text = warnings.join("\n");
    assert.match(text, /^ssl\.enabled: is off, so ssl is ignored and the port is plain\.$/m);
    assert.match(text, /^webhooks\.retry\.max_attempts: .* Set webhooks\.retry\.budget_s/m);
    for (const line of warnings) assert.match(line, /means nothing here|port is plain/);
  });
});

describe("ssl", () => {
  function ssl(section: object) {
    const { config, problems } = read({ ssl: section, app_manager: { apps: [APP] } });
    assert.deepEqual(problems, []);
    return config?.ssl ?? "none";
  }

  test("that is switched on is read as ours, whatever stands beside the files", () => {
    for (const enabled of [true, "true", 1]) {
      const section = { enabled, cert_path: "a", key_path: "b", passphrase: "", ca_path: null };
      assert.deepEqual(ssl({ ...section, redirect_http: false, http_port: 80 }), {
        cert_file: "a",
        key_file: "b",
      });
    }
  });

  test("that is switched off or wholly empty is none", () => {
    assert.equal(ssl({ enabled: "false", cert_path: "a" }), "none");
    assert.equal(ssl({ cert_file: "", key_file: null }), "none");
    assert.equal(ssl({ cert_path: "", redirect_http: false, http_port: 80 }), "none");
  });

  test("that is half filled, or on and empty, is refused: nobody meant a plain port", () => {
    const problems = (section: object) => read({ ssl: section }).problems.join("\n");
    assert.match(problems({ cert_file: "a", key_file: "" }), /^ssl\.key_file: is missing/);
    assert.match(problems({ enabled: true, cert_path: "" }), /^ssl\.cert_file: is missing/m);
    assert.match(problems({ cert_file: "", key_fil: "b" }), /^ssl\.key_fil: unknown key/m);
    assert.match(problems({}), /^ssl\.cert_file: is missing/m);
  });
});
