/** Who gives way in a stream that is full: the app that fills it, so that it costs no other app an event. */
import type { Fifo } from "./fifo.ts";

export interface Overrun {
  readonly appId: string;
  readonly dropped: number;
}

/** Drops the oldest events of the app that has most in the stream, at most `count`. */
export function dropOfFullest(stream: Fifo, count: number): Overrun | undefined {
  const idsByApp = new Map<string, string[]>();
  let fullest: { readonly appId: string; readonly ids: string[] } | undefined;
  for (const { appId, id } of stream.peek(stream.length)) {
    const ids = idsByApp.get(appId) ?? [];
    ids.push(id);
    idsByApp.set(appId, ids);
    if (!fullest || ids.length > fullest.ids.length) fullest = { appId, ids };
  }
  if (!fullest) return undefined;
  const dropped = stream.remove(fullest.ids.slice(0, count)).length;
  return { appId: fullest.appId, dropped };
}
