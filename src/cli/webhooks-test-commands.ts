/** `pipit webhooks listen`, `send` and `verify`: for those who write a receiver. They need no running server. */
import { type Command, InvalidArgumentError } from "commander";
import { type Exit, withApp } from "./webhooks-commands.ts";
import { type ListenOptions, listen } from "./webhooks-listen.ts";
import { type SendOptions, send } from "./webhooks-send.ts";
import { type VerifyOptions, verify } from "./webhooks-verify.ts";
import type { World } from "./world.ts";

const DEFAULT_PORT = 8_000;

export function addTesting(webhooks: Command, world: World, exit: Exit): void {
  withApp(webhooks.command("listen"))
    .description("receive webhooks on this machine, show them and check their signatures")
    .option("--port <port>", "where to listen on 127.0.0.1, 0 for any", portNumber, DEFAULT_PORT)
    .option("--forward <url>", "hand each on to your receiver, and answer what it answers")
    .option("--json", "print each delivery as a line of JSON")
    .action(async (options: ListenOptions) => exit(await listen(world, options)));

  withApp(webhooks.command("send"))
    .description("send a signed test delivery to a receiver (1: it was not taken)")
    .requiredOption("--event <type>", "channel_occupied, member_added, …")
    .option("--channel <name>", "the channel")
    .option("--data <text>", "a member's or user's id, a client event's data, or a count")
    .option("--url <url>", "the receiver")
    .option("--endpoint <id>", "an endpoint of the configuration, with its url and headers")
    .option("--json", "print JSON")
    .action(async (options: SendOptions) => exit(await send(world, options)));

  withApp(webhooks.command("verify"))
    .description("check the signature of the body on standard input (1: it is wrong)")
    .requiredOption("--signature <hex>", "what X-Pusher-Signature said")
    .option("--key <key>", "what X-Pusher-Key said")
    .option("--key-env <name>", "the variable with the app's key (default: the configuration)")
    .option("--secret-env <name>", "the variable with the app's secret, likewise")
    .option("--secret <secret>", "the secret itself: other users of this machine can see it")
    .action(async (options: VerifyOptions) => exit(await verify(world, options)));
}

function portNumber(text: string): number {
  const isPort = /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
  if (!isPort) throw new InvalidArgumentError("It must be a port, 0 to 65535.");
  return Number(text);
}
