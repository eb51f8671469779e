/** `pipit webhooks …`: the commands that ask a running server, and what they take. */
import { type Command, CommanderError, InvalidArgumentError } from "commander";
import { CommandFailure } from "./command-failure.ts";
import { type AccessOptions, type AppAccess, findApp, findServer } from "./webhooks-access.ts";
import { explainAnswer } from "./webhooks-answers.ts";
import {
  type Changing,
  changeInSteps,
  endpointRow,
  requireYes,
  type Signal,
  selectionBody,
  signalText,
  tellChange,
} from "./webhooks-change.ts";
import { type ApiClient, createApiClient } from "./webhooks-client.ts";
import { explainText, isDelivered } from "./webhooks-explain.ts";
import {
  eventText,
  fetchEvent,
  fetchLetters,
  type LetterChoice,
  lettersText,
} from "./webhooks-letters.ts";
import { statusText } from "./webhooks-status.ts";
import { countText } from "./webhooks-text.ts";
import type { World } from "./world.ts";

interface AskOptions extends AccessOptions {
  readonly json?: boolean;
}

interface Asked {
  readonly client: ApiClient;
  readonly appId: string;
  /** The options that lead there, for commands that are proposed. */
  readonly way: string;
}

/** Takes the exit code of a command that was run. */
export type Exit = (code: number) => void;

const DEFAULT_LIST_LIMIT = 50;
const EXIT_WRONG_USE = 2;

/** The command that the others hang under. Wrong use of any of them ends with 2. */
export function webhooksCommand(program: Command): Command {
  return program
    .command("webhooks")
    .description("see and repair webhook deliveries, and test receivers")
    .exitOverride((error) => {
      if (error.exitCode === 0) throw error;
      throw new CommanderError(EXIT_WRONG_USE, error.code, error.message);
    });
}

export function addOperations(webhooks: Command, world: World, exit: Exit): void {
  asking(webhooks, "status")
    .description("every endpoint: its state, what waits and what died")
    .action(async (options: AskOptions) => {
      const { client, appId, way } = ask(world, options);
      if (options.json) return print(world, await client.get(""));
      world.out(await statusText(client, appId, way));
    });

  choosing(asking(webhooks, "list <endpoint>"))
    .description("the dead letters of an endpoint")
    .option("--limit <n>", "how many to show", wholeNumber, DEFAULT_LIST_LIMIT)
    .action(async (endpoint: string, options: AskOptions & LetterChoice & { limit: number }) => {
      const { client } = ask(world, options);
      const list = await fetchLetters(client, endpoint, options, options.limit);
      if (options.json) return print(world, { dead_letters: list.letters, is_cut: list.isCut });
      world.out(lettersText(list, endpoint, world.now()));
    });

  asking(webhooks, "show <endpoint> <event-id>")
    .description("an event that waits or is dead, with its payload")
    .action(async (endpoint: string, eventId: string, options: AskOptions) => {
      const event = await fetchEvent(ask(world, options).client, endpoint, eventId);
      if (options.json) print(world, event);
      else world.out(eventText(event));
    });

  addChanges(webhooks, world, exit);
  for (const [signal, description] of SIGNALS) {
    asking(webhooks, `${signal} <endpoint>`)
      .description(description)
      .action(async (endpoint: string, options: AskOptions) => {
        const { client, way } = ask(world, options);
        await client.post(`/${encodeURIComponent(endpoint)}/${signal}`, {});
        if (options.json) print(world, { endpoint, done: signal });
        else world.out(signalText(signal, await endpointRow(client, endpoint), way));
      });
  }

  asking(webhooks, "explain")
    .description("why an event on a channel reaches an endpoint or not (1: nobody gets it)")
    .requiredOption("--event <type>", "channel_occupied, member_added, …")
    .requiredOption("--channel <name>", "the channel")
    .option("--endpoint <id>", "only this endpoint")
    .action(async (options: AskOptions & { event: string; channel: string; endpoint?: string }) => {
      const { client, appId } = ask(world, options);
      const { event, channel, endpoint } = options;
      const answer = await client.get("/explain", { event, channel, endpoint });
      const explained = explainAnswer(answer);
      if (options.json) print(world, answer);
      else world.out(explainText(explained, appId));
      exit(isDelivered(explained) ? 0 : 1);
    });
}

const SIGNALS: readonly (readonly [Signal, string])[] = [
  ["pause", "send nothing more to an endpoint; it goes on collecting"],
  ["resume", "end a pause"],
  ["retry", "try an endpoint that backs off at once"],
];

type SelectOptions = AskOptions & LetterChoice & { readonly all?: boolean };
type DropOptions = SelectOptions & { readonly backlog?: boolean; readonly yes?: boolean };

function addChanges(webhooks: Command, world: World, exit: Exit): void {
  async function change(client: ApiClient, changing: Changing, isJson: boolean): Promise<void> {
    const result = await changeInSteps(world, client, changing);
    exit(tellChange(world, changing, result, isJson));
  }

  choosing(asking(webhooks, "replay <endpoint> [event-ids...]"))
    .description("send dead letters again, with their ids")
    .option("--all", "all of them")
    .action(async (endpoint: string, ids: string[], options: SelectOptions) => {
      const body = selectionBody({ ...options, ids, all: options.all === true });
      const { client } = ask(world, options);
      const { dead_letters } = await endpointRow(client, endpoint);
      const total = options.all ? dead_letters : undefined;
      const named = new Set(ids).size;
      const changing: Changing = { action: "replay", endpoint, body, total, named };
      await change(client, changing, options.json === true);
    });

  choosing(asking(webhooks, "drop <endpoint> [event-ids...]"))
    .description("drop dead letters for good, or what waits")
    .option("--all", "all dead letters")
    .option("--backlog", "what waits, of an endpoint that is disabled or removed")
    .option("--yes", "really")
    .action(async (endpoint: string, ids: string[], options: DropOptions) => {
      const { backlog: isBacklog = false, yes = false, all = false } = options;
      const body = isBacklog ? backlogBody(options, ids) : selectionBody({ ...options, ids, all });
      const { client } = ask(world, options);
      const { dead_letters, backlog } = await endpointRow(client, endpoint);
      const total = isBacklog ? backlog : all ? dead_letters : undefined;
      requireYes(yes, dropped(endpoint, isBacklog, total));
      const named = new Set(ids).size;
      await change(client, { action: "drop", endpoint, body, total, named }, options.json === true);
    });

  asking(webhooks, "move <endpoint>")
    .description("give what a disabled or removed endpoint has to another")
    .requiredOption("--to <endpoint>", "who gets it")
    .action(async (endpoint: string, options: AskOptions & { to: string }) => {
      const { client } = ask(world, options);
      const { dead_letters, backlog } = await endpointRow(client, endpoint);
      const body = { to: options.to };
      const total = dead_letters + backlog;
      await change(client, { action: "move", endpoint, body, total }, options.json === true);
    });
}

function backlogBody({ all, channel, event, reason }: DropOptions, ids: readonly string[]) {
  const isChosen = all || [channel, event, reason].some((part) => part !== undefined);
  if (!isChosen && ids.length === 0) return { backlog: true };
  throw new CommandFailure(2, "--backlog is all that waits: it goes with no ids and no choice.");
}

function dropped(endpoint: string, isBacklog: boolean, total: number | undefined): string {
  if (total === undefined) return `the chosen dead letters of ${endpoint}`;
  if (isBacklog) return `the ${countText(total, "event")} that wait for ${endpoint}`;
  return `the ${countText(total, "dead letter")} of ${endpoint}`;
}

function asking(webhooks: Command, nameAndArguments: string): Command {
  return withApp(webhooks.command(nameAndArguments))
    .option("--url <url>", "where the server is (default: as the configuration says)")
    .option("--json", "print JSON");
}

/** The options that name the app and where its key is. */
export function withApp(command: Command): Command {
  return command
    .option("-c, --config <file>", "the server's configuration (default: config.json)")
    .option("--app <id>", "the app (default: the only one of the configuration)");
}

function choosing(command: Command): Command {
  return command
    .option("--channel <name>", "only of this channel")
    .option("--event <type>", "only of this type, channel_occupied, …")
    .option("--reason <reason>", "only those that died so: budget, refused, overflow");
}

function ask(world: World, options: AskOptions): Asked {
  const access: AppAccess = findApp(world, options);
  const { appId, config } = access;
  const server = findServer(world, options, config);
  const [pair] = access.pairs;
  const client = createApiClient({ server, appId, pair, now: world.now });
  return { client, appId, way: wayText(options, appId) };
}

function wayText({ config, url }: AskOptions, appId: string): string {
  const parts = [
    ["--app", appId],
    ["--config", config],
    ["--url", url],
  ];
  return parts
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]))
    .join(" ");
}

function print(world: World, json: unknown): void {
  world.out(`${JSON.stringify(json, undefined, 2)}\n`);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
