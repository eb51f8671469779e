/**
 * Configuration from the environment: `PIPIT_PORT` is `port`, `PIPIT_METRICS__PORT` is `metrics.port`, lists
 * and objects are JSON. `PIPIT_APP_ID`, `_KEY`, `_SECRET` and the other scalar fields of an app define one app.
 */
import { z } from "zod";
import { appSchema } from "./app-schema.ts";
import { configSchema } from "./config-schema.ts";
import { bare } from "./fields.ts";
import { isRecord } from "./path.ts";
import { didYouMean, type Problem } from "./problems.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface FromEnvironment {
  /** As deep as what was set; not respelled yet. */
  readonly value: Readonly<Record<string, unknown>>;
  /** The variable behind each path, for problems. */
  readonly sources: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** Names the configuration file; the flag wins over it. */
export const CONFIG_FILE_VARIABLE = "PIPIT_CONFIG";

const PREFIX = "PIPIT_";
const APP_PREFIX = "PIPIT_APP_";
/** What container platforms set for a service called pipit or pipit-…: addresses, not settings. */
const SERVICE_LINK = /^PIPIT_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$/;
const SERVICE_ADDRESS = /^(tcp|udp|sctp):\/\//;

export function readEnvironment(env: Environment): FromEnvironment {
  const known = knownVariables();
  const value: Record<string, unknown> = {};
  const app: Record<string, unknown> = {};
  const sources = new Map<string, string>();
  const problems: Problem[] = [];
  const warnings: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    // Set to nothing is not set: compose files hand variables on whether there is a value or not.
    if (!name.startsWith(PREFIX) || !text || name === CONFIG_FILE_VARIABLE) continue;
    const path = known.get(name);
    if (SERVICE_LINK.test(name)) continue;
    if (name.endsWith("_PORT") && SERVICE_ADDRESS.test(text)) {
      if (path) warnings.push(`${name}: ignored, it is the address of a service and not a port.`);
    } else if (path === undefined) {
      const near = didYouMean(name, [...known.keys(), CONFIG_FILE_VARIABLE]);
      problems.push({
        path: name,
        text: `unknown variable${near || "; see docs/configuration.md"}`,
      });
    } else if (name.startsWith(APP_PREFIX) && path[0] === APP) {
      app[path[1] ?? ""] = text;
      sources.set(`app_manager.apps[0].${path[1]}`, name);
    } else {
      put(value, path, text);
      sources.set(path.join("."), name);
    }
  }
  if (Object.keys(app).length > 0) {
    problems.push(...missingParts(app));
    put(value, ["app_manager", "apps"], [app]);
  }
  return { value, sources, problems, warnings };
}

/** Stands for the one app of the environment in the table of variables. */
const APP = "(app)";

/** Every variable with the path that it sets. */
function knownVariables(): ReadonlyMap<string, readonly string[]> {
  const known = new Map<string, readonly string[]>();
  const walk = (schema: z.ZodObject, path: readonly string[]): void => {
    for (const [key, field] of Object.entries(schema.shape)) {
      if (key === "$schema") continue;
      const inner = bare(field);
      if (inner instanceof z.ZodObject) walk(inner, [...path, key]);
      else known.set(PREFIX + [...path, key].join("__").toUpperCase(), [...path, key]);
    }
  };
  walk(configSchema, []);
  for (const key of Object.keys(appSchema.shape)) {
    known.set(APP_PREFIX + key.toUpperCase(), [APP, key]);
  }
  return known;
}

function missingParts(app: Readonly<Record<string, unknown>>): readonly Problem[] {
  const needed = "keys" in app ? ["id"] : ["id", "key", "secret"];
  return needed
    .filter((part) => app[part] === undefined)
    .map((part) => ({
      path: APP_PREFIX + part.toUpperCase(),
      text: "is missing: PIPIT_APP_ID, PIPIT_APP_KEY and PIPIT_APP_SECRET define an app together",
    }));
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [step = "", ...rest] = path;
  if (rest.length === 0) {
    target[step] = value;
    return;
  }
  const before = target[step];
  const inner: Record<string, unknown> = isRecord(before) ? { ...before } : {};
  put(inner, rest, value);
  target[step] = inner;
}
