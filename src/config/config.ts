/** The shapes of the configuration: as it may be written, and as the server works with it. */
import type { z } from "zod";
import type { configSchema } from "./config-schema.ts";

/** What may be written: nothing that has a default is needed. */
export type ConfigInput = Frozen<z.input<typeof configSchema>>;
/** What the server works with: complete and frozen. Limits of -1 are off, see {@link unlimited}. */
export type Config = Frozen<Omit<ParsedConfig, "app_manager">> & {
  readonly app_manager: Frozen<Omit<ParsedConfig["app_manager"], "apps">> & {
    readonly apps: readonly AppConfig[];
  };
};
/** One app. `cache_ttl_s` has been filled from `cache.ttl_s` where it was left out. */
export type AppConfig = Frozen<Omit<ParsedApp, "cache_ttl_s">> & { readonly cache_ttl_s: number };
export type WebhookConfig = AppConfig["webhooks"][number];

/** As the schema leaves it. */
export type ParsedConfig = z.output<typeof configSchema>;
type ParsedApp = ParsedConfig["app_manager"]["apps"][number];
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** A limit as a number that can be compared with: -1 becomes Infinity. */
export function unlimited(limit: number): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}
