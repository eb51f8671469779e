/** What can be used as it stands, but is hardly meant so. */
import { isIP } from "node:net";
import type { AppConfig, Config } from "./config.ts";

/** The secret in the `config.json` that everybody has. */
export const SAMPLE_SECRET = "pipit-secret";

export function configWarnings(config: Config): readonly string[] {
  const { apps } = config.app_manager;
  const warnings = apps.flatMap((app, index) => sameUrlWarnings(app, index));
  if (apps.length === 0) {
    warnings.push(
      "app_manager.apps: no app is configured, so every client is refused with 4001. Add one, or set PIPIT_APP_ID, PIPIT_APP_KEY and PIPIT_APP_SECRET.",
    );
  }
  if (config.reuse_port && config.redis === undefined) {
    warnings.push(
      "reuse_port: without redis the processes on the port know nothing of each other: a client hears only what is published through its own. Configure redis, or leave reuse_port off.",
    );
  }
  const { private_targets: privateTargets, allowed_targets: allowedTargets } = config.webhooks;
  if (privateTargets === "allow" && allowedTargets.length > 0) {
    warnings.push(
      'webhooks.allowed_targets: changes nothing while private_targets is "allow", which allows them all. Set it to "refuse", or leave the list out.',
    );
  }
  const open = apps.filter(hasSampleSecret).map(({ id }) => JSON.stringify(id));
  if (open.length > 0 && !isLoopback(config.host)) {
    warnings.push(
      `SECURITY: the app ${open.join(", ")} has the sample secret that everybody knows, and ${config.host} can be reached from other machines: anyone can publish, join private channels and sign in as anyone. Set a secret of your own (openssl rand -hex 20).`,
    );
  }
  return warnings;
}

/** Whether nobody but this machine can connect to `host`. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host.toLowerCase() === "localhost" || host === "::1";
}

function hasSampleSecret(app: AppConfig): boolean {
  return (
    app.secret === SAMPLE_SECRET || (app.keys ?? []).some(({ secret }) => secret === SAMPLE_SECRET)
  );
}

function sameUrlWarnings(app: AppConfig, index: number): string[] {
  return app.webhooks.flatMap(({ id, url }, at) => {
    const first = app.webhooks.findIndex((other) => other.url === url);
    if (id !== undefined || first === at) return [];
    const path = `app_manager.apps[${index}].webhooks`;
    return [
      `${path}[${at}]: has the same url as ${path}[${first}] and no id. Give both one: else what waits for them is mixed up when their order changes.`,
    ];
  });
}
