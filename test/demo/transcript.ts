/** What the demo prints: who did or heard what, and when. */

export interface Transcript {
  /** Begins a part of the story. */
  scene(title: string): void;
  /** One line of `who`. */
  line(who: string, what: string): void;
}

const WHO_WIDTH = 9;
/** Data is shown, and not too much of it. */
const MAX_SHOWN = 120;

export function createTranscript(write: (text: string) => void, now: () => number): Transcript {
  const startedMs = now();
  return {
    scene(title) {
      write(`\n${title}\n`);
    },
    line(who, what) {
      const seconds = ((now() - startedMs) / 1_000).toFixed(2).padStart(6);
      write(`${seconds} s  ${who.padEnd(WHO_WIDTH)} ${what}\n`);
    },
  };
}

/** Any data in one line. */
export function shown(data: unknown): string {
  const text = typeof data === "string" ? data : (JSON.stringify(data) ?? "nothing");
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
