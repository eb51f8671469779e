/**
 * Receivers of webhooks that fall ill on demand: one HTTP server with an endpoint per path, whatever its query.
 * What comes in full has arrived, also where it is answered badly or not at all; only what is answered with a 2xx
 * is taken.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import Pusher from "pusher";
import { APP } from "../support/pipit.ts";
import type { ReceivedWebhook } from "../support/webhook-receiver.ts";
import type { Arrival, Recorder } from "./recorder.ts";

/**
 * Of the `dead` and the `mute` nothing is read: the one ends the connection, the other says nothing. `cut`: the
 * head of a 2xx is sent, and the connection ends before the answer does.
 */
export type Mood = "sound" | "dead" | "mute" | "failing" | "hanging" | "resetting" | "slow" | "cut";

export interface Receivers {
  url(endpointId: string): string;
  /** Sound unless set. What is hanging then stays so until the sender gives up. */
  setMood(endpointId: string, mood: Mood): void;
  /** Called for each POST before it is answered, with the node that sent it. */
  onPost: ((endpointId: string, node: string) => void) | undefined;
  /** POSTs so far, by endpoint. */
  posts(endpointId: string): number;
}

/** Says which node sends: a custom header of the endpoint, different in each node's configuration. */
export const NODE_HEADER = "x-chaos-node";

const SLOW_MS = 400;
/** The Python library's: `abs(now - time_ms) > 300_000` is refused. */
const MOST_SKEW_MS = 300_000;

export async function openReceivers(t: TestContext, recorder: Recorder): Promise<Receivers> {
  const moods = new Map<string, Mood>();
  const posts = new Map<string, number>();
  const read = createReader();
  const server = createServer((request, response) => {
    const [endpointId = ""] = (request.url ?? "").slice(1).split("?");
    const mood = moods.get(endpointId) ?? "sound";
    if (mood === "dead") request.socket.destroy();
    if (mood === "dead" || mood === "mute") return;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {}); // its sender was killed
    request.on("end", () => {
      posts.set(endpointId, (posts.get(endpointId) ?? 0) + 1);
      const body = Buffer.concat(chunks).toString();
      const delivery = read(request.headers, body);
      recorder.arrived(endpointId, delivery);
      receivers.onPost?.(endpointId, String(request.headers[NODE_HEADER]));
      answer(response, mood, () => recorder.taken(endpointId, delivery));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const receivers: Receivers = {
    url: (endpointId) => `http://127.0.0.1:${port}/${endpointId}`,
    setMood: (endpointId, mood) => void moods.set(endpointId, mood),
    onPost: undefined,
    posts: (endpointId) => posts.get(endpointId) ?? 0,
  };
  return receivers;
}

/** `take` is called for what need not come again. */
function answer(response: ServerResponse, mood: Mood, take: () => void): void {
  switch (mood) {
    case "sound":
      take();
      response.end("{}");
      break;
    case "failing":
      response.writeHead(500).end("{}");
      break;
    case "dead":
    case "mute":
    case "hanging":
      break;
    case "resetting":
      response.socket?.resetAndDestroy();
      break;
    case "slow":
      setTimeout(() => {
        // Who was killed meanwhile, or has waited long enough, has to come again, or its successor.
        if (response.destroyed) return;
        take();
        response.end("{}");
      }, SLOW_MS);
      break;
    case "cut":
      take();
      response.writeHead(200, { "content-length": 100 });
      response.write("{", () => response.socket?.destroy());
  }
}

/** Reads a delivery as a receiver would, with the server library. */
export function createReader(): (headers: IncomingHttpHeaders, body: string) => Arrival {
  const { id, key, secret } = APP;
  const library = new Pusher({ appId: id, key, secret, host: "127.0.0.1" });
  return (headers, body) => {
    const atMs = Date.now();
    const isValid = library.webhook({ headers, rawBody: body }).isValid();
    const { time_ms: timeMs, events } = JSON.parse(body) as {
      time_ms: number;
      events: ReceivedWebhook[];
    };
    return {
      ids: String(headers["x-pipit-event-ids"]).split(","),
      events,
      atMs,
      isAccepted: isValid && Math.abs(atMs - timeMs) <= MOST_SKEW_MS,
    };
  };
}
