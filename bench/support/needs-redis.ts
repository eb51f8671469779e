/** Scenarios with Redis start their own: whether they can is better known before the others have run for minutes. */
import { execFileSync } from "node:child_process";

/** Throws when there is no `redis-server` to be started. */
export function requireRedisServer(): void {
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
  } catch (cause) {
    throw new Error(
      "This needs redis-server: install it (on Debian: apt-get install redis-server), or name the scenarios without Redis by --scenario.",
      { cause },
    );
  }
}
