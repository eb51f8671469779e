/** Puts the configuration together from where it stands: defaults < file < environment < flags. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { certificateProblems } from "./certificate-files.ts";
import type { Config } from "./config.ts";
import { configSchema } from "./config-schema.ts";
import { appsIn } from "./cross-checks.ts";
import { CONFIG_FILE_VARIABLE, type Environment, readEnvironment } from "./environment.ts";
import { parseJson } from "./json-text.ts";
import { deepMerge, isRecord, valueAt } from "./path.ts";
import { fillPlaceholders } from "./placeholders.ts";
import type { Problem } from "./problems.ts";
import { onePerPath, parseConfig, problemLine } from "./read-config.ts";
import { respell } from "./spelling.ts";
import { configWarnings } from "./warnings.ts";
import { webhookFileProblems, withAbsoluteWebhookFiles } from "./webhook-files.ts";

/** What is read when no file is named. */
export const DEFAULT_FILE = "config.json";

export interface ConfigSources {
  /** As named by a flag, relative to `cwd`; else PIPIT_CONFIG, else `config.json` if there is one. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** Shaped as the configuration; parts that are undefined say nothing. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly cwd: string;
}

export type LoadedConfig =
  | {
      readonly config: Config;
      readonly warnings: readonly string[];
      /** The file that was read, absolute. */
      readonly file: string | undefined;
    }
  | { readonly problems: readonly string[]; readonly file: string | undefined };

/** Reads files, so it belongs to the command line; a program calls readConfig. Never throws for bad input. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { env, cwd } = sources;
  const file = configFile(sources);
  const warnings: string[] = [];
  const problems: Problem[] = [];
  const fromFile = file === undefined ? {} : readFile(file, env, problems, warnings);
  if (fromFile === undefined) return { problems: problems.map(problemLine), file };

  const fromEnv = readEnvironment(env);
  problems.push(...fromEnv.problems);
  warnings.push(...fromEnv.warnings, ...replacedApps(fromFile, fromEnv.value));
  const layers = [fromEnv.value, sources.flags].map((layer) =>
    resolveFiles(respell(configSchema, layer, warnings), cwd),
  );
  const input = layers.reduce(deepMerge, fromFile);

  const parsed = parseConfig(input);
  const later = [
    ...("problems" in parsed ? parsed.problems : []),
    ...certificateProblems(valueAt(input, ["ssl"])),
    ...webhookFileProblems(input),
  ];
  const sourced = later.map((problem) => withSource(problem, fromEnv.sources));
  const isMissingPart = (problem: Problem) =>
    fromEnv.problems.length > 0 &&
    fromEnv.problems.some(({ path }) => problem.path === appPath(path));
  const all = onePerPath([...problems, ...sourced.filter((problem) => !isMissingPart(problem))]);
  if ("problems" in parsed || all.length > 0) return { problems: all.map(problemLine), file };
  return { config: parsed.config, warnings: [...warnings, ...configWarnings(parsed.config)], file };
}

function configFile({ file, env, cwd }: ConfigSources): string | undefined {
  const named = file ?? (env[CONFIG_FILE_VARIABLE] || undefined);
  if (named !== undefined) return resolve(cwd, named);
  const usual = resolve(cwd, DEFAULT_FILE);
  return existsSync(usual) ? usual : undefined;
}

/** The respelled content, or undefined when there is no use in looking further. */
function readFile(
  file: string,
  env: Environment,
  problems: Problem[],
  warnings: string[],
): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    problems.push({
      path: file,
      text: `cannot be read (${code}): name another file with --config`,
    });
    return undefined;
  }
  const json = parseJson(text);
  if ("problem" in json) {
    problems.push({ path: file, text: json.problem });
    return undefined;
  }
  if (!isRecord(json.value)) {
    problems.push({ path: file, text: 'holds no object; the least is {"app_manager": …}' });
    return undefined;
  }
  const filled = fillPlaceholders(json.value, env, problems);
  return resolveFiles(respell(configSchema, filled, warnings), dirname(file));
}

/** Files are named relative to who names them: the configuration file, or the directory of the start. */
function resolveFiles(layer: unknown, from: string): unknown {
  if (!isRecord(layer)) return layer;
  const { ssl, redis } = layer;
  const resolved = { ...withAbsoluteWebhookFiles(layer, from) };
  if (isRecord(ssl)) resolved.ssl = withAbsoluteFiles(ssl, from);
  if (isRecord(redis) && isRecord(redis.tls)) {
    resolved.redis = { ...redis, tls: withAbsoluteFiles(redis.tls, from) };
  }
  return resolved;
}

function withAbsoluteFiles(section: Readonly<Record<string, unknown>>, from: string): unknown {
  const entries = Object.entries(section).map(([key, value]) => {
    const isPath = key.endsWith("_file") && typeof value === "string" && value !== "";
    return [key, isPath && !isAbsolute(value) ? resolve(from, value) : value];
  });
  return Object.fromEntries(entries);
}

function replacedApps(fromFile: unknown, fromEnv: unknown): readonly string[] {
  const before = appsIn(fromFile).length;
  if (before === 0 || appsIn(fromEnv).length === 0) return [];
  return [
    `app_manager.apps: the app of the environment (PIPIT_APP_…) replaces the ${before} of the file.`,
  ];
}

function withSource(problem: Problem, sources: ReadonlyMap<string, string>): Problem {
  const variable = sources.get(problem.path);
  return variable === undefined ? problem : { ...problem, path: `${problem.path} (${variable})` };
}

/** Where the schema misses what `PIPIT_APP_SECRET` would have set. */
function appPath(variable: string): string {
  return `app_manager.apps[0].${variable.replace(/^PIPIT_APP_/, "").toLowerCase()}`;
}
