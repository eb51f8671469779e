/**
 * Which app a webhooks command is about, with which key, and where its server is: from the options, the
 * environment and the configuration that the server runs with. A secret never stands on the command line.
 */
import { readFileSync } from "node:fs";
import type { AppConfig, Config } from "../config/config.ts";
import { loadConfig } from "../config/load-config.ts";
import { CommandFailure } from "./command-failure.ts";
import { reachable } from "./start-text.ts";
import type { World } from "./world.ts";

export interface AccessOptions {
  readonly config?: string;
  readonly app?: string;
  readonly url?: string;
}

export interface KeyPair {
  readonly key: string;
  readonly secret: string;
}

/** The app that is meant. */
export interface AppAccess {
  readonly appId: string;
  /** Every enabled pair, the one that signs webhooks first; never empty. */
  readonly pairs: readonly [KeyPair, ...KeyPair[]];
  /** As configured; undefined when the pair came from the environment and there is no such app in the file. */
  readonly app: AppConfig | undefined;
  readonly config: Config | undefined;
}

export interface ServerAccess {
  /** Scheme, host, port and path prefix, without a slash at the end. */
  readonly base: string;
  /** The server's own certificate, PEM, where the configuration names it: it need not be known to the system. */
  readonly certificate: string | undefined;
}

const ENV_KEY = "PIPIT_APP_KEY";
const ENV_SECRET = "PIPIT_APP_SECRET";
const ENV_ID = "PIPIT_APP_ID";

export function findApp(world: World, options: AccessOptions): AppAccess {
  const { env } = world;
  const key = env[ENV_KEY];
  const secret = env[ENV_SECRET];
  // With its id the app of the environment belongs to the configuration, which reads it itself.
  if (key && secret && !env[ENV_ID]) return appOfEnvironment(world, options, { key, secret });

  const { config, file } = requireConfig(world, options, env);
  const app = chooseApp(config.app_manager.apps, options.app, file);
  const [first, ...others] = enabledPairs(app);
  if (first === undefined) {
    throw new CommandFailure(
      2,
      `App ${JSON.stringify(app.id)} has no enabled key in ${file}: nothing can be signed for it.`,
    );
  }
  return { appId: app.id, pairs: [first, ...others], app, config };
}

/** Where the app's server listens: `--url`, else what the configuration says of it. */
export function findServer(
  world: World,
  options: AccessOptions,
  known: Config | undefined,
): ServerAccess {
  if (options.url !== undefined) return { base: readBase(options.url), certificate: undefined };
  const config = known ?? requireConfig(world, options, withoutPair(world)).config;
  const { host, port, path_prefix, ssl } = config;
  if (port === 0) {
    throw new CommandFailure(
      2,
      "port is 0 in the configuration, so the server chose one itself: name it with --url http://HOST:PORT.",
    );
  }
  const scheme = ssl === undefined ? "http" : "https";
  return {
    base: `${scheme}://${reachable(host)}:${port}${path_prefix}`,
    certificate: ssl === undefined ? undefined : readFileSync(ssl.cert_file, "utf8"),
  };
}

/** The pair of the environment, for the app of that name, or for the only one that there is. */
function appOfEnvironment(world: World, options: AccessOptions, pair: KeyPair): AppAccess {
  const env = withoutPair(world);
  if (options.app !== undefined && options.url !== undefined) {
    return { appId: options.app, pairs: [pair], app: undefined, config: undefined };
  }
  const { config, file } = requireConfig(world, options, env);
  const { apps } = config.app_manager;
  const app = apps.find(({ id }) => id === options.app);
  if (options.app !== undefined) return { appId: options.app, pairs: [pair], app, config };
  const only = chooseApp(apps, undefined, file);
  return { appId: only.id, pairs: [pair], app: only, config };
}

/** Without its id the pair would be half an app to the configuration. */
function withoutPair({ env }: World): World["env"] {
  return env[ENV_ID] ? env : { ...env, [ENV_KEY]: undefined, [ENV_SECRET]: undefined };
}

function requireConfig(
  world: World,
  { config: file }: AccessOptions,
  env: World["env"],
): { readonly config: Config; readonly file: string } {
  const loaded = loadConfig({ file, env, cwd: world.cwd, flags: {} });
  const from = loaded.file ?? "the configuration (no file, only the environment)";
  if (!("problems" in loaded)) return { config: loaded.config, file: from };
  const [first = ""] = loaded.problems;
  const more = loaded.problems.length > 1 ? ` and ${loaded.problems.length - 1} more` : "";
  throw new CommandFailure(
    2,
    `${from} cannot be used (${first}${more}): see pipit check, name the server's file with --config, or do without one by --app, --url, ${ENV_KEY} and ${ENV_SECRET}.`,
  );
}

function chooseApp(apps: readonly AppConfig[], id: string | undefined, file: string): AppConfig {
  const app = id === undefined ? only(apps) : apps.find((one) => one.id === id);
  if (app !== undefined) return app;
  const ids = apps.map((one) => one.id);
  const listed = ids.length === 0 ? "none" : `${ids.slice(0, 20).join(", ")}`;
  throw new CommandFailure(
    2,
    id === undefined
      ? `Say which app is meant with --app: ${file} has ${listed}.`
      : `There is no app ${JSON.stringify(id)} in ${file}, it has ${listed}: name another file with --config, or set ${ENV_KEY} and ${ENV_SECRET}.`,
  );
}

function only(apps: readonly AppConfig[]): AppConfig | undefined {
  return apps.length === 1 ? apps[0] : undefined;
}

function enabledPairs({ key, secret, keys }: AppConfig): readonly KeyPair[] {
  if (keys !== undefined) return keys.filter(({ enabled }) => enabled);
  return key === undefined || secret === undefined ? [] : [{ key, secret }];
}

function readBase(text: string): string {
  const isUrl = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
  if (!isUrl) {
    throw new CommandFailure(
      2,
      `--url is ${JSON.stringify(text)}, something like http://127.0.0.1:6001 is needed.`,
    );
  }
  const { origin, pathname } = new URL(text);
  return origin + pathname.replace(/\/+$/, "");
}
