/** `pipit check`: says everything that is wrong with a configuration without starting anything. */
import type { Config } from "../config/config.ts";
import { type ConfigSources, loadConfig } from "../config/load-config.ts";
import { maskSecrets } from "../config/mask.ts";
import { problemText, warningText } from "./failure.ts";
import { webhookTargetWarnings } from "./webhook-target-warnings.ts";
import type { World } from "./world.ts";

export interface CheckOptions extends Pick<ConfigSources, "file" | "flags"> {
  /** Show what is in effect, secrets masked. */
  readonly print: boolean;
  /** Try Redis, too. */
  readonly connect: boolean;
}

/** 0 when the configuration can be used, else 1. */
export async function check(world: World, sources: CheckOptions): Promise<number> {
  const loaded = loadConfig({ ...sources, env: world.env, cwd: world.cwd });
  if ("problems" in loaded) {
    world.err(problemText(loaded.problems, loaded.file));
    return 1;
  }
  world.err(warningText([...loaded.warnings, ...webhookTargetWarnings(loaded.config)]));
  if (sources.connect && !(await canConnect(world, loaded.config))) return 1;
  if (sources.print) {
    world.out(`${JSON.stringify(maskSecrets(loaded.config), undefined, 2)}\n`);
    return 0;
  }
  const apps = loaded.config.app_manager.apps.length;
  const from = loaded.file ?? "defaults and environment";
  world.out(`The configuration can be used: ${from}, ${apps} ${apps === 1 ? "app" : "apps"}.\n`);
  return 0;
}

async function canConnect(world: World, config: Config): Promise<boolean> {
  if (config.redis === undefined) {
    world.err("There is no redis in the configuration: the node would be alone, nothing to try.\n");
    return true;
  }
  const { problems, warnings } = await world.checkRedis(config);
  world.err(warningText(warnings));
  if (problems.length > 0) world.err(problemText(problems, "the Redis at redis"));
  else world.out("Redis can be used.\n");
  return problems.length === 0;
}
