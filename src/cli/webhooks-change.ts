/** `pipit webhooks replay`, `drop`, `move`, `pause`, `resume` and `retry`. */
import { CommandFailure } from "./command-failure.ts";
import { type EndpointRow, statusAnswer, stepAnswer } from "./webhooks-answers.ts";
import type { ApiClient, Fields } from "./webhooks-client.ts";
import type { LetterChoice } from "./webhooks-letters.ts";
import { runSteps, type StepsResult } from "./webhooks-steps.ts";
import { countText } from "./webhooks-text.ts";
import type { World } from "./world.ts";

export interface Selection extends LetterChoice {
  readonly ids: readonly string[];
  readonly all: boolean;
}

const EXIT_NO = 1;
const EXIT_OF_SIGNAL = 130;

/** The body that means the selection. Throws CommandFailure unless it says what is meant. */
export function selectionBody({ ids, all, channel, event, reason }: Selection): Fields {
  const parts: Fields = {
    ...(ids.length > 0 && { ids }),
    ...(channel !== undefined && { channel }),
    ...(event !== undefined && { event }),
    ...(reason !== undefined && { reason }),
  };
  const isPart = Object.keys(parts).length > 0;
  if (all && isPart) {
    throw new CommandFailure(2, "--all goes with no event ids, --channel, --event or --reason.");
  }
  if (!all && !isPart) {
    throw new CommandFailure(
      2,
      "Say which dead letters are meant: event ids, --channel, --event or --reason, or --all.",
    );
  }
  return all ? { all } : parts;
}

export async function endpointRow(client: ApiClient, endpoint: string): Promise<EndpointRow> {
  const { endpoints } = statusAnswer(await client.get(""));
  const row = endpoints.find(({ id }) => id === endpoint);
  if (row !== undefined) return row;
  const ids = endpoints.map(({ id }) => id).join(", ") || "none";
  throw new CommandFailure(
    1,
    `There is no endpoint ${JSON.stringify(endpoint)}: the app has ${ids}.`,
  );
}

export interface Changing {
  readonly action: "replay" | "drop" | "move";
  readonly endpoint: string;
  /** What each step says besides its cursor. */
  readonly body: Fields;
  readonly total: number | undefined;
  /** How many events were named by their ids; undefined: they were chosen otherwise. */
  readonly named?: number;
}

const DONE = { replay: "replayed", drop: "dropped", move: "moved" } as const;

export async function changeInSteps(
  world: World,
  client: ApiClient,
  { action, endpoint, body, total }: Changing,
): Promise<StepsResult> {
  const route = `/${encodeURIComponent(endpoint)}/${action}`;
  return runSteps(world, {
    done: DONE[action],
    total,
    step: async (cursor) =>
      stepAnswer(await client.post(route, cursor === undefined ? body : { ...body, cursor })),
  });
}

/** Prints what became of it; the exit code, which is 1 when an event that was named is not there. */
export function tellChange(
  world: World,
  { action, endpoint, named = 0 }: Changing,
  { changed, isInterrupted }: StepsResult,
  isJson: boolean,
): number {
  if (isJson) {
    world.out(`${JSON.stringify({ endpoint, changed, done: !isInterrupted })}\n`);
  } else {
    const end = isInterrupted ? " before it was stopped; the same command goes on from there" : "";
    const whose = action === "replay" ? `for ${endpoint}` : `from ${endpoint}`;
    world.out(`${countText(changed, "event")} ${DONE[action]} ${whose}${end}.\n`);
  }
  if (isInterrupted) return EXIT_OF_SIGNAL;
  if (changed >= named) return 0;
  const missing = `${named - changed} of the ${countText(named, "event")} named`;
  world.err(`pipit: ${missing} not found: no dead letter of ${endpoint} has the id.\n`);
  return EXIT_NO;
}

/** Dropping is for good: it is done only when it was confirmed, and says before how much it is about. */
export function requireYes(isConfirmed: boolean, what: string): void {
  if (isConfirmed) return;
  throw new CommandFailure(
    2,
    `This drops ${what} for good. Add --yes to do it; nothing was dropped.`,
  );
}

export type Signal = "pause" | "resume" | "retry";

/** What is true of the endpoint, `id`, once the signal was given. */
export function signalText(signal: Signal, { id, state }: EndpointRow, way: string): string {
  const isOff = state === "disabled" || state === "removed";
  switch (signal) {
    case "pause": {
      const rest = isOff ? `also when it is no longer ${state}` : "and it goes on collecting";
      return `${id} is paused: nothing is sent to it, ${rest}. To end it: pipit webhooks resume ${id} ${way}\n`;
    }
    case "resume":
      if (isOff) return `${id} is not paused, but it is ${state}: nothing is sent to it.\n`;
      return `${id} is not paused: what waits is sent, with a new retry budget.\n`;
    case "retry":
      return `${id} is tried now. What became of it: pipit webhooks status ${way}\n`;
  }
}
