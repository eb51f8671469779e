// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of configuration files are meant
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { Environment } from "../../src/config/environment.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { maskSecrets } from "../../src/config/mask.ts";
import { CERTIFICATE, KEY, OTHER_KEY } from "./certificate.ts";

const APP = { id: "1", key: "k", secret: "hush" };

function folder(t: TestContext, files: Readonly<Record<string, unknown>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "pipit-config-"));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(path, name, ".."), { recursive: true });
    writeFileSync(
      join(path, name),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  }
  return path;
}

function load(
  cwd: string,
  env: Environment = {},
  flags: Record<string, unknown> = {},
  file?: string,
) {
  const loaded = loadConfig({ file, env, flags, cwd });
  return "config" in loaded
    ? { ...loaded, problems: [] }
    : { ...loaded, config: undefined, warnings: [] };
}

describe("layers", () => {
  test("defaults yield to the file, the file to the environment, the environment to flags", (t) => {
    const cwd = folder(t, {
      "config.json": { host: "::1", port: 1, metrics: { port: 1, prefix: "a_" }, pongTimeoutS: 7 },
    });
    const env = { PIPIT_PORT: "2", PIPIT_METRICS__PORT: "2", UNRELATED: "x" };
    const { config } = load(cwd, env, { port: 3 });
    assert.equal(config?.host, "::1");
    assert.equal(config?.port, 3);
    assert.deepEqual(config?.metrics, { enabled: true, host: "127.0.0.1", port: 2, prefix: "a_" });
    assert.equal(config?.pong_timeout_s, 7);
    assert.equal(config?.activity_timeout_s, 120);
  });

  test("the file is the one of the flag, else of PIPIT_CONFIG, else config.json, else none", (t) => {
    const cwd = folder(t, {
      "config.json": { port: 1 },
      "b.json": { port: 2 },
      "c.json": { port: 3 },
    });
    assert.equal(load(cwd, { PIPIT_CONFIG: "b.json" }, {}, "c.json").config?.port, 3);
    assert.equal(load(cwd, { PIPIT_CONFIG: "b.json" }).config?.port, 2);
    assert.equal(load(cwd).config?.port, 1);
    const bare = load(folder(t));
    assert.equal(bare.config?.port, 6001);
    assert.equal(bare.file, undefined);
  });

  test("a file that is not there, no JSON or no object is one problem", (t) => {
    const cwd = folder(t, { "a.json": '{"port": 1,}', "b.json": "[]" });
    assert.match(
      load(cwd, {}, {}, "nope.json").problems.join(),
      /nope\.json: cannot be read \(ENOENT\)/,
    );
    assert.match(
      load(cwd, {}, {}, "a.json").problems.join(),
      /a\.json: line 1, column 12: no comma/,
    );
    assert.match(load(cwd, {}, {}, "b.json").problems.join(), /b\.json: holds no object/);
  });
});

describe("the environment", () => {
  test("defines one app without a file", (t) => {
    const { config } = load(folder(t), {
      PIPIT_APP_ID: "7",
      PIPIT_APP_KEY: "key",
      PIPIT_APP_SECRET: "secret",
      PIPIT_APP_ENABLE_CLIENT_MESSAGES: "true",
      PIPIT_APP_WEBHOOKS: '[{"url":"https://a.example"}]',
    });
    const [app] = config?.app_manager.apps ?? [];
    assert.deepEqual([app?.id, app?.key, app?.secret], ["7", "key", "secret"]);
    assert.equal(app?.enable_client_messages, true);
    assert.equal(app?.webhooks[0]?.url, "https://a.example");
  });

  test("puts its app in place of those of the file, and says so", (t) => {
    const cwd = folder(t, {
      "config.json": { app_manager: { apps: [APP, { ...APP, id: "2", key: "l" }] } },
    });
    const env = { PIPIT_APP_ID: "7", PIPIT_APP_KEY: "key", PIPIT_APP_SECRET: "secret" };
    const { config, warnings } = load(cwd, env);
    assert.deepEqual(
      config?.app_manager.apps.map(({ id }) => id),
      ["7"],
    );
    assert.match(warnings.join(), /replaces the 2 of the file/);
  });

  test("half an app is refused, naming each variable that is missing once", (t) => {
    const { problems } = load(folder(t), { PIPIT_APP_ID: "7" });
    assert.deepEqual(
      problems.map((line) => line.split(":")[0]),
      ["PIPIT_APP_KEY", "PIPIT_APP_SECRET"],
    );
  });

  test("a variable that is set to nothing is not set", (t) => {
    const { config, problems } = load(folder(t), { PIPIT_PORT: "", PIPIT_APP_ID: "" });
    assert.deepEqual(problems, []);
    assert.equal(config?.port, 6001);
    assert.deepEqual(config?.app_manager.apps, []);
  });

  test("lists come with commas or as JSON", (t) => {
    const cwd = folder(t);
    const list = ["10.0.0.0/8", "::1/128"];
    for (const text of ["10.0.0.0/8, ::1", '["10.0.0.0/8","::1"]']) {
      assert.deepEqual(load(cwd, { PIPIT_TRUSTED_PROXIES: text }).config?.trusted_proxies, list);
    }
  });

  test("a variable that is not known is refused, with the one that was meant", (t) => {
    const { problems } = load(folder(t), {
      PIPIT_PROT: "1",
      PIPIT_METRICS_PORT: "1",
      PIPIT_ZZZZZZ: "1",
    });
    assert.match(
      problems.join("\n"),
      /^PIPIT_PROT: unknown variable, did you mean "PIPIT_PORT"\?$/m,
    );
    assert.match(problems.join("\n"), /^PIPIT_METRICS_PORT: .*"PIPIT_METRICS__PORT"\?$/m);
    assert.match(problems.join("\n"), /^PIPIT_ZZZZZZ: unknown variable; see docs/m);
  });

  test("a wrong value is named with its variable", (t) => {
    const { problems } = load(folder(t), { PIPIT_LOG__LEVEL: "loud" });
    assert.match(problems.join(), /^log\.level \(PIPIT_LOG__LEVEL\): found "loud", allowed: debug/);
  });

  test("what a container platform sets for a service called pipit is no setting", (t) => {
    const { config, warnings } = load(folder(t), {
      PIPIT_PORT: "tcp://10.0.0.1:6001",
      PIPIT_SERVICE_HOST: "10.0.0.1",
      PIPIT_SERVICE_PORT: "6001",
      PIPIT_SERVICE_PORT_WS: "6001",
      PIPIT_PORT_6001_TCP: "tcp://10.0.0.1:6001",
      PIPIT_PORT_6001_TCP_ADDR: "10.0.0.1",
      PIPIT_METRICS_SERVICE_HOST: "10.0.0.2",
      PIPIT_METRICS_PORT: "tcp://10.0.0.2:9601",
    });
    assert.equal(config?.port, 6001);
    assert.match(warnings.join(), /PIPIT_PORT: ignored, it is the address of a service/);
  });
});

describe("placeholders", () => {
  test("are filled, with the default where nothing or an empty text is set", (t) => {
    const cwd = folder(t, {
      "config.json": {
        port: "${PORT}",
        host: "${HOST:-::1}",
        metrics: { enabled: "${METRICS:-false}" },
        app_manager: { apps: [{ ...APP, secret: "a-${SECRET}-$${SECRET}" }] },
      },
    });
    const { config } = load(cwd, { PORT: "7001", HOST: "", SECRET: "x" });
    assert.equal(config?.port, 7001);
    assert.equal(config?.host, "::1");
    assert.equal(config?.metrics.enabled, false);
    assert.equal(config?.app_manager.apps[0]?.secret, "a-x-${SECRET}");
  });

  test("that are not set are all named at once, and nothing else about their fields", (t) => {
    const cwd = folder(t, {
      "config.json": { port: "${PORT}", app_manager: { apps: [{ ...APP, secret: "${SECRET}" }] } },
    });
    const { problems } = load(cwd);
    assert.equal(problems.length, 2, problems.join("\n"));
    assert.match(problems[0] ?? "", /^port: \$\{PORT\} is not set: .*\$\{PORT:-default\}$/);
    assert.match(problems[1] ?? "", /^app_manager\.apps\[0\]\.secret: \$\{SECRET\} is not set/);
  });
});

describe("certificates", () => {
  const files = { "tls/cert.pem": CERTIFICATE, "tls/key.pem": KEY, "tls/other.pem": OTHER_KEY };
  const ssl = { cert_file: "cert.pem", key_file: "key.pem" };

  test("are looked for beside the configuration file and handed on as full paths", (t) => {
    const cwd = folder(t, { ...files, "tls/config.json": { ssl } });
    const { config, problems } = load(cwd, {}, {}, "tls/config.json");
    assert.deepEqual(problems, []);
    assert.equal(config?.ssl?.cert_file, join(cwd, "tls/cert.pem"));
    const fromEnv = { PIPIT_SSL__CERT_FILE: "tls/cert.pem", PIPIT_SSL__KEY_FILE: "tls/key.pem" };
    assert.equal(load(cwd, fromEnv).config?.ssl?.key_file, join(cwd, "tls/key.pem"));
  });

  test("that cannot be used are refused, each with the reason", (t) => {
    const cwd = folder(t, files);
    const problems = (over: object) =>
      load(cwd, {}, { ssl: { cert_file: "tls/cert.pem", key_file: "tls/key.pem", ...over } })
        .problems;
    assert.match(problems({ cert_file: "gone.pem" }).join(), /^ssl\.cert_file: .*does not exist/);
    assert.match(problems({ cert_file: "tls" }).join(), /^ssl\.cert_file: .*is a directory/);
    assert.match(problems({ cert_file: "tls/key.pem" }).join(), /holds no certificate in PEM/);
    assert.match(problems({ key_file: "tls/cert.pem" }).join(), /holds no private key in PEM/);
    assert.match(problems({ key_file: "tls/other.pem" }).join(), /not the key of the certificate/);
  });
});

test("certificates are looked at also when something else is wrong, and named once", (t) => {
  const cwd = folder(t, {
    "config.json": {
      port: "x",
      ssl: { cert_file: "gone.pem", key_file: "${KEY_FILE}", ca_file: 7 },
    },
  });
  const { problems } = load(cwd, { PIPIT_SSL__CERT_FILE: "away.pem" });
  assert.deepEqual(problems.map((line) => line.replace(/(:|, allowed:).*/, "")).toSorted(), [
    "port",
    "ssl.ca_file",
    "ssl.cert_file (PIPIT_SSL__CERT_FILE)",
    "ssl.key_file",
  ]);
  assert.match(problems.join("\n"), /^ssl\.cert_file .*away\.pem", which does not exist/m);
  assert.match(problems.join("\n"), /^ssl\.key_file: \$\{KEY_FILE\} is not set/m);
});

test("a certificate whose name or passphrase has not been filled is named once in any spelling", (t) => {
  const cwd = folder(t, {
    "config.json": { ssl: { certPath: "${CERT}", keyPath: "config.json", passphrase: "${PASS}" } },
  });
  const { problems } = load(cwd);
  assert.equal(problems.length, 2, problems.join("\n"));
  assert.match(problems[0] ?? "", /^ssl\.certPath: \$\{CERT\} is not set/);
  assert.match(problems[1] ?? "", /^ssl\.passphrase: \$\{PASS\} is not set/);
});

describe("a masked configuration", () => {
  test("shows no secret and no header's value", () => {
    const hook = { url: "https://a.example/h?token=hush", headers: { Authorization: "hush" } };
    const masked = maskSecrets({
      ssl: { passphrase: "hush" },
      apps: [{ key: "k", secret: "hush", keys: [{ key: "l", secret: "hush" }], webhooks: [hook] }],
    });
    assert.doesNotMatch(JSON.stringify(masked), /hush/);
    assert.match(
      JSON.stringify(masked),
      /"key":"k".*"key":"l".*https:\/\/a\.example\/h\/\*+".*Authorization/,
    );
  });

  test("shows of a URL where it leads, and nothing that may be a token", () => {
    for (const [url, masked] of [
      ["https://a.example", "https://a.example"],
      ["https://*.a.example:8443", "https://*.a.example:8443"],
      ["http://a.example:8080/pusher", "http://a.example:8080/pusher"],
      ["HTTPS://a.example/hook?token=hush", "https://a.example/hook/********"],
      [" https://a.example/hook?token=hush", "https://a.example/hook/********"],
      ["https://a.example/#token=hush", "https://a.example/********"],
      ["https://a.example/services/T0/B0/hush", "https://a.example/services/********"],
      ["https://a.example/5f3c1d6e-hush", "https://a.example/********"],
      ["https://hush@a.example", "https://********@a.example"],
      ["redis://me:hush@a.example:6379/0", "redis://me:********@a.example:6379/0"],
      ["./config.schema.json", "./config.schema.json"],
      ["a?b#c", "a?b#c"],
    ] as const) {
      assert.equal(maskSecrets(url), masked);
    }
  });
});
