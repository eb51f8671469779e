/** A map for each app, made when first needed and dropped when empty. */

export interface AppMap<T> {
  get(appId: string, key: string): T | undefined;
  set(appId: string, key: string, value: T): void;
  delete(appId: string, key: string): void;
  /** Everything of one app, in order of arrival. Read it in this turn, do not keep it. */
  of(appId: string): ReadonlyMap<string, T>;
  /** Entries of all apps. */
  readonly size: number;
}

/** Nested rather than keyed by `app:key`: a look-up joins no strings, and listing an app touches no other. */
export function createAppMap<T>(): AppMap<T> {
  const apps = new Map<string, Map<string, T>>();
  const none: ReadonlyMap<string, T> = new Map();
  // No getter, as in connections/registry.ts.
  const map: AppMap<T> & { size: number } = {
    size: 0,
    get: (appId, key) => apps.get(appId)?.get(key),
    set(appId, key, value) {
      let entries = apps.get(appId);
      if (!entries) {
        entries = new Map();
        apps.set(appId, entries);
      }
      if (!entries.has(key)) map.size += 1;
      entries.set(key, value);
    },
    delete(appId, key) {
      const entries = apps.get(appId);
      if (!entries?.delete(key)) return;
      map.size -= 1;
      if (entries.size === 0) apps.delete(appId);
    },
    of: (appId) => apps.get(appId) ?? none,
  };
  return map;
}
