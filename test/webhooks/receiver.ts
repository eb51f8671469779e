/** A real HTTP receiver of webhooks that verifies each with the pusher library and answers as the test says. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import Pusher from "pusher";
import { KEY, SECRET } from "./fixtures.ts";

export interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
  readonly timeMs: number;
  readonly events: readonly { readonly name: string; readonly channel: string }[];
  /** By the header, in the order of the events. */
  readonly ids: readonly string[];
  /** Whether the pusher library accepts it. */
  readonly isValid: boolean;
}

/** Answers a delivery. It counts as accepted when it ends with a 2xx. */
export type Responder = (delivery: Delivery, response: ServerResponse, number: number) => void;

export interface Receiver {
  readonly url: string;
  /** All that arrived, in order. */
  readonly deliveries: Delivery[];
  /** What was answered with 2xx. */
  readonly accepted: Delivery[];
  /** Channels of the events of `accepted`. */
  channels(): string[];
  respond: Responder;
  /** Sockets that were opened to it. */
  readonly sockets: { count: number };
}

export function status(code: number, headers: Record<string, string> = {}): Responder {
  return (_delivery, response) => {
    response.writeHead(code, headers).end("answer");
  };
}

const pusher = new Pusher({ appId: "app", key: KEY, secret: SECRET, host: "127.0.0.1" });

export function readDelivery(headers: IncomingHttpHeaders, path: string, body: string): Delivery {
  const webhook = pusher.webhook({ headers: headers as Record<string, string>, rawBody: body });
  const parsed = JSON.parse(body) as { time_ms: number; events: Delivery["events"] };
  return {
    headers,
    body,
    path,
    timeMs: parsed.time_ms,
    events: parsed.events,
    ids: String(headers["x-pipit-event-ids"]).split(","),
    isValid: webhook.isValid(),
  };
}

export async function openReceiver(
  t: TestContext,
  respond: Responder = status(200),
): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  const accepted: Delivery[] = [];
  const sockets = { count: 0 };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const delivery = readDelivery(request.headers, request.url ?? "", body);
      deliveries.push(delivery);
      response.on("finish", () => {
        if (response.statusCode >= 200 && response.statusCode < 300) accepted.push(delivery);
      });
      receiver.respond(delivery, response, deliveries.length);
    });
  });
  server.on("connection", () => {
    sockets.count += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook?a=1`,
    deliveries,
    accepted,
    channels: () => accepted.flatMap(({ events }) => events.map(({ channel }) => channel)),
    respond,
    sockets,
  };
  return receiver;
}
