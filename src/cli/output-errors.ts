/** What happens when the texts of a command cannot be written: it goes on, and says so where it can. */

/** What is used of `process`. */
export interface OutputStreams {
  readonly stdout: { on(event: "error", listener: (error: Error) => void): unknown };
  readonly stderr: {
    on(event: "error", listener: (error: Error) => void): unknown;
    write(text: string): unknown;
  };
  exitCode?: number | string | null | undefined;
}

/**
 * Keeps the process alive. A reader that went away (`pipit start | head -1`) wanted no more; anything else is
 * told once, and a command that ends by itself then ends with 1.
 */
export function outliveOutputErrors(process: OutputStreams): void {
  let isTold = false;
  process.stdout.on("error", (error) => {
    const code = "code" in error ? String(error.code) : error.message;
    if (code === "EPIPE" || isTold) return;
    isTold = true;
    process.exitCode = 1;
    process.stderr.write(`pipit: standard output cannot be written (${code}).\n`);
  });
  process.stderr.on("error", () => {}); // There is nowhere left to tell it.
}
