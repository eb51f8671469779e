/** Apps that have to be asked for elsewhere, as in a database. Look-ups overtake each other. */
import type { Apps } from "../../src/apps/app.ts";
import type { DelayedCalls } from "./delayed-calls.ts";

export function createDelayedApps(apps: Apps, calls: DelayedCalls): Apps {
  let asked = 0;
  const ownKey = () => `apps ${asked++}`;
  return {
    driver: `delayed ${apps.driver}`,
    byId: (id) => calls.ask(ownKey(), () => apps.byId(id)),
    byKey: (key) => calls.ask(ownKey(), () => apps.byKey(key)),
    known: () => apps.known(),
  };
}
