/** What the server answers to the webhooks commands, as far as they read it. Source: protocol.md §6.11. */
import { CommandFailure } from "./command-failure.ts";
import type { Fields } from "./webhooks-client.ts";

export interface Failing {
  readonly since_ms: number;
  readonly attempts: number;
  readonly last_status: string;
}

export interface EndpointRow {
  readonly id: string;
  readonly origin: string | null;
  readonly state: string;
  readonly configured: string;
  readonly pause: { readonly reason: string; readonly since_ms: number } | null;
  readonly failing: Failing | null;
  readonly backlog: number;
  readonly oldest_age_ms: number | null;
  readonly dead_letters: number;
}

export interface StatusAnswer {
  readonly now_ms: number;
  readonly endpoints: readonly EndpointRow[];
}

export interface LetterRow {
  readonly id: string;
  readonly event: string;
  readonly channel: string;
  readonly reason: string;
  readonly last_status: string | null;
  readonly decided_ms: number;
  readonly died_ms: number;
}

export interface LettersAnswer {
  readonly dead_letters: readonly LetterRow[];
  readonly next: string | null;
}

export interface ExplainedRow extends EndpointRow {
  readonly takes: boolean;
  readonly refusals: readonly string[];
  readonly last_delivery: {
    readonly id: string;
    readonly channel: string;
    readonly delivered_ms: number;
    readonly latency_ms: number;
  } | null;
  readonly waiting_of_it: {
    readonly found: number;
    readonly is_complete: boolean;
    readonly oldest: { readonly id: string; readonly decided_ms: number } | null;
  } | null;
  readonly dead_letters_of_it: {
    readonly found: number;
    readonly latest: LetterRow | null;
  } | null;
}

export interface ExplainAnswer {
  readonly now_ms: number;
  readonly event: string;
  readonly channel: string;
  readonly impossible: readonly string[];
  readonly endpoints: readonly ExplainedRow[];
}

export interface StepAnswer {
  readonly changed: number;
  readonly next: string | null;
}

export function statusAnswer(answer: Fields): StatusAnswer {
  return checked(answer, Array.isArray(answer.endpoints)) as unknown as StatusAnswer;
}

export function lettersAnswer(answer: Fields): LettersAnswer {
  return checked(answer, Array.isArray(answer.dead_letters)) as unknown as LettersAnswer;
}

export function explainAnswer(answer: Fields): ExplainAnswer {
  const isOne = Array.isArray(answer.endpoints) && Array.isArray(answer.impossible);
  return checked(answer, isOne) as unknown as ExplainAnswer;
}

export function stepAnswer(answer: Fields): StepAnswer {
  return checked(answer, typeof answer.changed === "number") as unknown as StepAnswer;
}

function checked(answer: Fields, isAsExpected: boolean): Fields {
  if (isAsExpected) return answer;
  throw new CommandFailure(
    2,
    `The server answers with something else (${Object.keys(answer).slice(0, 5).join(", ")}): is it a Pipit of this version?`,
  );
}
