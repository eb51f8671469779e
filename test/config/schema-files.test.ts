// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of configuration files are meant
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { readConfig, requireConfig } from "../../src/config/read-config.ts";
import { withReference } from "../../src/config/reference.ts";
import { SAMPLE_SECRET } from "../../src/config/warnings.ts";

const root = new URL("../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");
const readJson = (file: string) => JSON.parse(read(file));

function problems(value: unknown): string {
  const ajv = new Ajv2020({ allowUnionTypes: true, allErrors: true });
  const validate = ajv.compile(configJsonSchema());
  return validate(value) ? "" : ajv.errorsText(validate.errors);
}

const APP = { id: "1", key: "k", secret: "s" };

describe("config.schema.json", () => {
  test("is what the schema prints: run npm run schema when this fails", () => {
    assert.deepEqual(
      readJson("config.schema.json"),
      JSON.parse(JSON.stringify(configJsonSchema())),
    );
  });

  test("accepts the config.json of the repository, which names it", () => {
    const config = readJson("config.json");
    assert.equal(problems(config), "");
    assert.equal(config.$schema, "./config.schema.json");
  });

  test("wants nothing that has a default", () => {
    assert.equal(problems({}), "");
    assert.equal(
      problems({ metrics: {}, webhooks: {}, limits: {}, app_manager: { apps: [APP] } }),
      "",
    );
  });

  test("refuses what loading refuses", () => {
    assert.match(problems({ port: 70_000 }), /port must be <= 65535/);
    assert.match(problems({ prot: 1 }), /must NOT have additional properties/);
    assert.match(problems({ app_manager: { apps: [{ key: "k" }] } }), /required property 'id'/);
    assert.match(problems({ port: "x" }), /must match pattern/);
  });

  test("knows every other spelling, as deprecated, and placeholders", () => {
    const webhooks = [
      { url: "https://a.example", events: ["cache_miss"], filter: { channelPattern: "a" } },
    ];
    const input = {
      appManager: { array: { apps: [{ ...APP, id: 1, maxConnections: null, webhooks }] } },
      port: "${PORT:-1}",
      log: { level: "${LEVEL}" },
      ssl: { certFile: "a", keyFile: "b" },
      trustedProxies: "${PROXIES}",
    };
    assert.equal(problems(input), "");
    const properties = configJsonSchema().properties ?? {};
    assert.deepEqual(properties.trustedProxies, {
      $ref: "#/properties/trusted_proxies",
      deprecated: true,
      description: "Another spelling of trusted_proxies.",
    });
  });
});

test("the tables of docs/configuration.md are what the schema prints", () => {
  const page = read("docs/configuration.md");
  assert.equal(withReference(page), page);
});

test("every JSON example in docs/configuration.md is a configuration", () => {
  const examples = read("docs/configuration.md").match(/(?<=^```json\n)[^`]*/gm) ?? [];
  assert.equal(examples.length, 2);
  for (const example of examples) {
    assert.equal(problems(JSON.parse(example)), "");
    assert.deepEqual(requireConfig(JSON.parse(example)).warnings, []);
  }
});

test("the config.json of the repository is ready to try: loopback, one app with a number as id", () => {
  const loaded = readConfig(readJson("config.json"));
  assert.ok("config" in loaded);
  assert.deepEqual(loaded.warnings, []);
  const [app] = loaded.config.app_manager.apps;
  assert.match(app?.id ?? "", /^\d+$/);
  assert.equal(app?.secret, SAMPLE_SECRET);
});

test("every key has a sentence", () => {
  const rows = read("docs/configuration.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"));
  assert.ok(rows.length > 60);
  for (const row of rows) assert.match(row, /\| [^|]*\w[^|]*[.:\w] \|$/, row);
});
