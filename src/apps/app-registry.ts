/** The memory driver of `Apps`: every app stands in the configuration, so each look-up answers at once. */
import type { AppConfig } from "../config/config.ts";
import { type App, type Apps, createAppTraffic } from "./app.ts";
import { appSettings } from "./app-settings.ts";

export interface AppRegistry extends Apps {
  byId(id: string): App | undefined;
  byKey(key: string): App | undefined;
  /**
   * Takes `apps`, which were checked together (no id or key twice), in place of those served. Handles stay the
   * same objects, also of an app that went and comes back; one that went is no longer found and is disabled, so
   * that those who still hold it see it go.
   */
  reload(apps: readonly AppConfig[]): void;
}

export function createAppRegistry(configs: readonly AppConfig[]): AppRegistry {
  // Grows by what operators configure, never by what clients send.
  const handles = new Map<string, App>();
  let ids: ReadonlyMap<string, App> = new Map();
  let keys: ReadonlyMap<string, App> = new Map();

  function reload(apps: readonly AppConfig[]): void {
    const nextIds = new Map<string, App>();
    const nextKeys = new Map<string, App>();
    for (const config of apps) {
      const app = renew(config);
      nextIds.set(app.id, app);
      for (const key of app.settings.keys.keys()) nextKeys.set(key, app);
    }
    for (const app of ids.values()) {
      if (!nextIds.has(app.id)) app.settings = { ...app.settings, enabled: false };
    }
    ids = nextIds;
    keys = nextKeys;
  }

  function renew(config: AppConfig): App {
    const settings = appSettings(config);
    const app = handles.get(config.id) ?? { id: config.id, settings, traffic: createAppTraffic() };
    app.settings = settings;
    handles.set(app.id, app);
    return app;
  }

  reload(configs);
  return {
    driver: "memory",
    byId: (id) => ids.get(id),
    byKey: (key) => keys.get(key),
    known: () => ids.values(),
    reload,
  };
}
