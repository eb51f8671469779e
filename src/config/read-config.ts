/** Reads a configuration from any value: spelled as wanted, checked whole, filled with defaults, frozen. */
import type { Config, ParsedConfig } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { configSchema } from "./config-schema.ts";
import { crossProblems } from "./cross-checks.ts";
import { type Problem, schemaProblems } from "./problems.ts";
import { withRedisDefaults } from "./redis-defaults.ts";
import { respell } from "./spelling.ts";
import { configWarnings } from "./warnings.ts";

export type ReadConfig =
  | { readonly config: Config; readonly warnings: readonly string[] }
  | { readonly problems: readonly string[] };

/** The configuration in `input`, or every problem in it, one line each. A config that was read reads again. */
export function readConfig(input: unknown): ReadConfig {
  const warnings: string[] = [];
  const read = parseConfig(respell(configSchema, input, warnings));
  if ("problems" in read) return { problems: read.problems.map(problemLine) };
  return { config: read.config, warnings: [...warnings, ...configWarnings(read.config)] };
}

/** As {@link readConfig}, for callers that cannot go on without. Throws ConfigError. */
export function requireConfig(input: unknown): {
  readonly config: Config;
  readonly warnings: readonly string[];
} {
  const read = readConfig(input);
  if ("problems" in read) throw new ConfigError(read.problems);
  return read;
}

/** The second half of {@link readConfig}: `input` is respelled already. */
export function parseConfig(
  input: unknown,
): { readonly config: Config } | { readonly problems: readonly Problem[] } {
  const { data, error } = configSchema.safeParse(withRedisDefaults(configSchema, input));
  const found = [
    ...schemaProblems(configSchema, input, error?.issues ?? []),
    ...crossProblems(input),
  ];
  if (found.length > 0 || data === undefined) return { problems: onePerPath(found) };
  return { config: complete(data) };
}

export function problemLine({ path, text }: Problem): string {
  return path === "" ? text : `${path}: ${text}`;
}

/** The first problem of each path: the rest only follows from it. */
export function onePerPath(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ path }) => !seen.has(path) && seen.add(path));
}

function complete(parsed: ParsedConfig): Config {
  const apps = parsed.app_manager.apps.map((app) => ({
    ...app,
    cache_ttl_s: app.cache_ttl_s ?? parsed.cache.ttl_s,
  }));
  return freeze({ ...parsed, app_manager: { ...parsed.app_manager, apps } });
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) freeze(part);
    Object.freeze(value);
  }
  return value;
}
