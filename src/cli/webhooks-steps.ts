/** Changes that take many steps: one call each, with progress, until all is done or Ctrl-C is pressed. */
import { setTimeout as delay } from "node:timers/promises";
import { CommandFailure } from "./command-failure.ts";
import type { StepAnswer } from "./webhooks-answers.ts";
import { countText } from "./webhooks-text.ts";
import type { World } from "./world.ts";

export interface Steps {
  /** `replayed`, `dropped`, `moved`. */
  readonly done: string;
  /** How many there were before the first step; undefined when only some of them are meant. */
  readonly total: number | undefined;
  step(cursor: string | undefined): Promise<StepAnswer>;
}

export interface StepsResult {
  readonly changed: number;
  /** Ctrl-C came before the last step. */
  readonly isInterrupted: boolean;
}

/** A server or its Redis that restarts is waited for; each try repeats the same step, which changes nothing twice. */
const MOST_RETRIES = 10;
const MOST_WAIT_MS = 5_000;
/** Between lines where no terminal can be written over. */
const LINE_EVERY_MS = 5_000;
const EXIT_OF_SIGNAL = 130;

/** Rejects with CommandFailure, which says what was done until then. */
export async function runSteps(world: World, steps: Steps): Promise<StepsResult> {
  const progress = createProgress(world, steps);
  let isInterrupted = false;
  world.process.on("SIGINT", () => {
    if (isInterrupted) world.process.exit(EXIT_OF_SIGNAL);
    isInterrupted = true;
    world.err("\npipit: stopping after this step; again to stop at once.\n");
  });
  let changed = 0;
  let cursor: string | undefined;
  for (;;) {
    const answer = await patiently(
      world,
      () => steps.step(cursor),
      () => isInterrupted,
    ).catch((error: unknown) => {
      throw told(error, steps.done, changed);
    });
    changed += answer.changed;
    cursor = answer.next ?? undefined;
    progress.show(changed);
    if (cursor === undefined || isInterrupted) break;
  }
  progress.end();
  return { changed, isInterrupted: cursor !== undefined };
}

/** Tries again what may work later. */
async function patiently<T>(
  world: World,
  work: () => Promise<T>,
  isInterrupted: () => boolean,
): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await work();
    } catch (error) {
      const waitMs = error instanceof CommandFailure ? error.retryAfterMs : undefined;
      if (waitMs === undefined || retries === MOST_RETRIES || isInterrupted()) throw error;
      if (retries === 0 && error instanceof Error) world.err(`pipit: ${error.message} Waiting …\n`);
      await delay(Math.min(waitMs, MOST_WAIT_MS));
    }
  }
}

function told(error: unknown, done: string, changed: number): unknown {
  if (!(error instanceof CommandFailure) || changed === 0) return error;
  const until = `${countText(changed, "event")} ${done} until then; the same command goes on from there.`;
  return new CommandFailure(error.exitCode, `${error.message} ${until}`);
}

function createProgress(world: World, { done, total }: Steps) {
  let toldMs = world.now();
  let isLineOpen = false;
  return {
    show(changed: number): void {
      const of = total === undefined ? "" : ` of ${total.toLocaleString("en")}`;
      const text = `${done} ${changed.toLocaleString("en")}${of}`;
      if (world.isErrTerminal) {
        world.err(`\r${text}`);
        isLineOpen = true;
      } else if (world.now() - toldMs >= LINE_EVERY_MS) {
        toldMs = world.now();
        world.err(`${text}\n`);
      }
    },
    end(): void {
      if (isLineOpen) world.err("\n");
    },
  };
}
