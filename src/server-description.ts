/** What runs and where, for people and for those who collect log lines. Never holds a secret. */
import type { Config } from "./config/config.ts";
import type { Log } from "./protocol/log.ts";

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
}

export interface ServerDescription {
  readonly version: string;
  /** The package that uWebSockets.js was loaded from; undefined before `listen`. */
  readonly uws: { readonly name: string; readonly version: string } | undefined;
  readonly drivers: Readonly<
    Record<"apps" | "adapter" | "channel_state" | "cache" | "webhooks", string>
  >;
  readonly warnings: readonly string[];
}

/** More would make the line too long for those who collect it. */
const MOST_APPS_LOGGED = 100;

/** What the command line prints for people, as one line. */
export function logListening(
  log: Log,
  config: Config,
  address: ServerAddress | undefined,
  { drivers, uws, version }: ServerDescription,
): void {
  const ids = config.app_manager.apps.map(({ id }) => id);
  log.info(
    {
      host: address?.host,
      port: address?.port,
      is_tls: address?.isTls,
      metrics: address?.metrics,
      path_prefix: config.path_prefix,
      apps: ids.length,
      app_ids: ids.slice(0, MOST_APPS_LOGGED),
      drivers,
      uws,
      version,
      node_version: process.versions.node,
    },
    "listening",
  );
}
