/** A real HTTP receiver that checks every delivery with the real server library, as an app's backend would. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import Pusher from "pusher";

export interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Key, signature and content type are as the library wants them. */
  readonly isValid: boolean;
  readonly timeMs: number;
  readonly events: ReceivedWebhook[];
}

export interface ReceivedWebhook {
  readonly name: string;
  readonly channel: string;
  readonly user_id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly socket_id?: string;
  readonly subscription_count?: number;
}

export interface WebhookReceiver {
  readonly url: string;
  readonly deliveries: Delivery[];
  /** Every event so far, in order of arrival. */
  events(): ReceivedWebhook[];
  /** Decides how to answer from now on; 200 unless set. */
  answer: (response: ServerResponse, delivery: Delivery) => void;
}

/** Every event so far in order of its first arrival: a repeat has the id of what it repeats. */
export function firstArrivals({ deliveries }: WebhookReceiver): readonly ReceivedWebhook[] {
  const events = new Map<string, ReceivedWebhook>();
  for (const delivery of deliveries) {
    const ids = String(delivery.headers["x-pipit-event-ids"]).split(",");
    for (const [n, event] of delivery.events.entries()) {
      const id = ids[n] ?? "";
      if (!events.has(id)) events.set(id, event);
    }
  }
  return [...events.values()];
}

export async function startReceiver(
  t: TestContext,
  app: { readonly id: string; readonly key: string; readonly secret: string },
): Promise<WebhookReceiver> {
  const library = new Pusher({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host: "127.0.0.1",
    useTLS: false,
  });
  const deliveries: Delivery[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const webhook = library.webhook({ headers: request.headers, rawBody: body });
    const isValid = webhook.isValid();
    const parsed = JSON.parse(body) as { time_ms: number; events: ReceivedWebhook[] };
    const delivery: Delivery = {
      headers: request.headers,
      body,
      isValid,
      timeMs: parsed.time_ms,
      events: parsed.events,
    };
    deliveries.push(delivery);
    receiver.answer(response, delivery);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`,
    deliveries,
    events: () => deliveries.flatMap(({ events }) => events),
    answer: (response) => response.end("{}"),
  };
  return receiver;
}
