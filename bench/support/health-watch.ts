/** Somebody who asks a server for its health, on a connection of its own, and looks at its memory. */
import { setTimeout as delay } from "node:timers/promises";
import { rssOf } from "./cpu-time.ts";
import type { Endpoint } from "./endpoint.ts";
import { createHttpClient, type HttpClient } from "./http-client.ts";

export interface Health {
  /** The slowest answer. */
  readonly maxMs: number;
  /** The most resident memory that was seen. */
  readonly maxRssBytes: number;
}

const EVERY_MS = 50;
const READY = Buffer.from("GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");

/** Asks again and again, one question at a time. `stop` rejects when an answer was not 200. */
export function watchHealth(endpoint: Endpoint, pid: number): { stop(): Promise<Health> } {
  const connection = createHttpClient(endpoint);
  let isOver = false;
  let maxMs = 0;
  let maxRssBytes = 0;
  const watching = (async () => {
    while (!isOver) {
      maxMs = Math.max(maxMs, await ask(connection));
      maxRssBytes = Math.max(maxRssBytes, rssOf(pid));
      await delay(EVERY_MS);
    }
  })();
  // Whoever stops it is told.
  watching.catch(() => {});
  return {
    async stop() {
      isOver = true;
      await watching.finally(() => connection.close());
      return { maxMs, maxRssBytes };
    },
  };
}

/** How long an answer takes now: the slowest of twenty. */
export async function answerMs(endpoint: Endpoint): Promise<number> {
  const connection = createHttpClient(endpoint);
  let maxMs = 0;
  try {
    for (let asked = 0; asked < 20; asked += 1) maxMs = Math.max(maxMs, await ask(connection));
  } finally {
    connection.close();
  }
  return maxMs;
}

function ask(connection: HttpClient): Promise<number> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    connection.send(READY, (status) => {
      if (status === 200) resolve(performance.now() - startedMs);
      else reject(new Error(`The server's health is answered with ${status}.`));
    });
  });
}
