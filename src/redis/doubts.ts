/**
 * Whether what other nodes have reported is still so: certain once each has reported after the question. Those who
 * ask at about the same time share an answer, so there are few questions however many ask.
 */

export interface Doubts {
  /** True once every node has reported since; false when one has not in time, or nobody can tell. Never rejects. */
  ask(): Promise<boolean>;
  /** Every node has reported after that time, which is that of `now`. */
  reported(sinceMs: number): void;
  /** Nobody can tell. */
  drop(): void;
  /** Questions that wait for an answer. */
  readonly size: number;
}

interface Question {
  /** When it was asked first and last. */
  readonly firstMs: number;
  lastMs: number;
  readonly answer: Promise<boolean>;
  readonly settle: (isSure: boolean) => void;
}

/** Those who ask within this time are answered together. */
const ASKED_TOGETHER_MS = 100;

/** `patienceMs`: a node that has not reported for as long may be gone. */
export function createDoubts(now: () => number, patienceMs: number): Doubts {
  let questions: readonly Question[] = [];

  return {
    ask() {
      const nowMs = now();
      let question = questions.at(-1);
      if (question === undefined || nowMs - question.firstMs >= ASKED_TOGETHER_MS) {
        question = createQuestion(nowMs);
        questions = [...questions, question];
      }
      question.lastMs = nowMs;
      return question.answer;
    },
    reported(sinceMs) {
      const nowMs = now();
      questions = questions.filter(({ firstMs, lastMs, settle }) => {
        const isSure = lastMs < sinceMs;
        const isLate = nowMs - firstMs >= patienceMs;
        if (isSure || isLate) settle(isSure);
        return !isSure && !isLate;
      });
    },
    drop() {
      for (const { settle } of questions) settle(false);
      questions = [];
    },
    get size() {
      return questions.length;
    },
  };
}

function createQuestion(nowMs: number): Question {
  let settle = (_isSure: boolean): void => {};
  const answer = new Promise<boolean>((resolve) => {
    settle = resolve;
  });
  return { firstMs: nowMs, lastMs: nowMs, answer, settle };
}
