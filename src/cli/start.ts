/** `pipit start`: loads the configuration, listens, says so, and goes on until it is told to stop. */
import { type ConfigSources, loadConfig } from "../config/load-config.ts";
import { failureText, problemText, warningText } from "./failure.ts";
import { startText } from "./start-text.ts";
import { type StopWatch, stopOnSignals } from "./stop.ts";
import type { World } from "./world.ts";

/** The exit code when there is nothing to run; undefined once the server listens. */
export async function start(
  world: World,
  sources: Pick<ConfigSources, "file" | "flags">,
): Promise<number | undefined> {
  const loaded = loadConfig({ ...sources, env: world.env, cwd: world.cwd });
  if ("problems" in loaded) {
    world.err(problemText(loaded.problems, loaded.file));
    return 1;
  }
  const { config, warnings, file } = loaded;
  world.err(warningText(warnings));
  let stopWatch: StopWatch | undefined;
  try {
    const server = world.createServer(config);
    stopWatch = stopOnSignals(server, {
      process: world.process,
      graceS: config.shutdown.grace_s,
      err: world.err,
      logFatal: (error, message) => world.logFatal(config.log, error, message),
    });
    await server.listen();
    // Whoever collects JSON lines wants no other: the server's log says where it listens.
    if (world.isTerminal || config.log.format !== "json") {
      world.out(startText(config, server, { version: world.version, file }));
    }
    return undefined;
  } catch (error) {
    // Told to stop while it waited, for Redis for example: no failure, and the process exits by itself.
    if (stopWatch?.isClosing()) return undefined;
    world.err(failureText(error));
    return 1;
  }
}
