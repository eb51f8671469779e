/** `pipit check`: says everything that is wrong with a configuration without starting anything. */
import { type ConfigSources, loadConfig } from "../config/load-config.ts";
import { maskSecrets } from "../config/mask.ts";
import { problemText, warningText } from "./failure.ts";
import type { World } from "./world.ts";

/** 0 when the configuration can be used, else 1. `print` shows what is in effect, secrets masked. */
export function check(
  world: World,
  sources: Pick<ConfigSources, "file" | "flags"> & { readonly print: boolean },
): number {
  const loaded = loadConfig({ ...sources, env: world.env, cwd: world.cwd });
  if ("problems" in loaded) {
    world.err(problemText(loaded.problems, loaded.file));
    return 1;
  }
  world.err(warningText(loaded.warnings));
  if (sources.print) {
    world.out(`${JSON.stringify(maskSecrets(loaded.config), undefined, 2)}\n`);
    return 0;
  }
  const apps = loaded.config.app_manager.apps.length;
  const from = loaded.file ?? "defaults and environment";
  world.out(`The configuration can be used: ${from}, ${apps} ${apps === 1 ? "app" : "apps"}.\n`);
  return 0;
}
