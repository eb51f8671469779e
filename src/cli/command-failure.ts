/** Why a command cannot go on, for the one who typed it. */

/** 1: the answer is no (refused, not found). 2: it could not be asked (wrong use, nobody there, no access). */
export type FailureExitCode = 1 | 2;

export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly exitCode: FailureExitCode;
  /** Set when the same may work later. */
  readonly retryAfterMs: number | undefined;
  /** `message`: what, where and what to do, in a sentence or two. */
  constructor(exitCode: FailureExitCode, message: string, retryAfterMs?: number) {
    super(message);
    this.exitCode = exitCode;
    this.retryAfterMs = retryAfterMs;
  }
}
