/** What it means when Redis answers and refuses all the same, and what to do. */

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["OOM", "it is full, raise its maxmemory"],
  ["MISCONF", "it cannot save its data, its own log says why"],
  ["READONLY", "it is a replica and no master"],
  ["NOPERM", "its user is not allowed to"],
  ["LOADING", "it is still reading its data"],
]);

/** A sentence for operators; only the word that Redis begins with is taken from what it says. */
export function refusalText(command: string, { message }: Error): string {
  const word = /^[A-Z]+/.exec(message)?.[0] ?? "an error";
  const meaning = MEANINGS.get(word);
  return `${command}: Redis refuses it with ${word}${meaning === undefined ? "" : `: ${meaning}`}.`;
}
