/** The command line: which commands there are, what they take, and which exit code they give. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { check } from "./check.ts";
import { CommandFailure } from "./command-failure.ts";
import { failureText } from "./failure.ts";
import { start } from "./start.ts";
import { addOperations, webhooksCommand } from "./webhooks-commands.ts";
import { addTesting } from "./webhooks-test-commands.ts";
import type { World } from "./world.ts";

interface ConfigOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  readonly metricsPort?: number;
  readonly logLevel?: string;
  readonly print?: boolean;
  readonly connect?: boolean;
}

/** Runs `args` (without node and script). The exit code, or undefined while a server goes on running. */
export async function runCli(args: readonly string[], world: World): Promise<number | undefined> {
  let exitCode: number | undefined = 0;
  const program = new Command("pipit")
    .description("A self-hosted, Pusher-compatible WebSocket server.")
    .version(world.version, "-V, --version", "print Pipit's version")
    .showHelpAfterError("(pipit --help shows what there is)")
    .exitOverride()
    .configureOutput({ writeOut: world.out, writeErr: world.err });

  withConfigOptions(program.command("start"))
    .description("start the server")
    .action(async (options: ConfigOptions) => {
      exitCode = await start(world, { file: options.config, flags: flagsOf(options) });
    });
  withConfigOptions(program.command("check"))
    .description("say everything that is wrong with the configuration")
    .option("--print", "print the configuration in effect, secrets masked")
    .option("--connect", "try to reach Redis, too, and say what is wrong with it")
    .action(async (options: ConfigOptions) => {
      const { config: file, print = false, connect = false } = options;
      exitCode = await check(world, { file, flags: flagsOf(options), print, connect });
    });
  program
    .command("version")
    .description("print the versions of Pipit, Node and the uWebSockets.js that was loaded")
    .action(async () => {
      world.out(`pipit ${world.version}\nnode ${process.versions.node}\n`);
      const uws = await world.loadedUws();
      world.out(`${uws.name} ${uws.version}\n`);
    });
  const webhooks = webhooksCommand(program);
  for (const add of [addOperations, addTesting]) {
    add(webhooks, world, (code) => {
      exitCode = code;
    });
  }

  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    if (error instanceof CommandFailure) {
      world.err(`pipit: ${error.message}\n`);
      return error.exitCode;
    }
    world.err(failureText(error));
    return 1;
  }
}

function withConfigOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "the configuration file (default: config.json, if there is one)")
    .option("--host <host>", "where to listen")
    .option("--port <port>", "the port for clients and the HTTP API, 0 for any", wholeNumber)
    .option("--metrics-port <port>", "the port for metrics, 0 for any", wholeNumber)
    .option("--log-level <level>", "debug, info, warn, error or silent");
}

/** The flags in the shape of the configuration: they win over everything else. */
function flagsOf(options: ConfigOptions): Readonly<Record<string, unknown>> {
  const { host, port, metricsPort, logLevel } = options;
  return {
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(metricsPort === undefined ? {} : { metrics: { port: metricsPort } }),
    ...(logLevel === undefined ? {} : { log: { level: logLevel } }),
  };
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
