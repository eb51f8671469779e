/** Takes webhooks as an app's backend should: the raw body first, then its signature, then its events. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type Pusher from "pusher";

/** An event of a webhook: what it has besides depends on its name. */
export interface ReceivedWebhook {
  readonly name: string;
  /** Undefined where an event is of a user alone. */
  readonly channel?: string;
  readonly [field: string]: unknown;
}

export interface WebhookReceiver {
  readonly url: string;
  /** Every event whose signature was right, in order of its first arrival: repeats are known by their ids. */
  readonly events: readonly ReceivedWebhook[];
  /** POSTs whose signature was wrong: they were answered with 401. */
  readonly refused: number;
  close(): void;
}

/** `backend` verifies; it is asked for at each POST. `print` gets a line for each event. */
export async function openWebhookReceiver(
  backend: () => Pusher,
  print: (line: string) => void,
): Promise<WebhookReceiver> {
  const events: ReceivedWebhook[] = [];
  const seen = new Set<string>();
  let refused = 0;
  const server = createServer(async (request, response) => {
    const rawBody = await text(request);
    const webhook = backend().webhook({ headers: request.headers, rawBody });
    if (!webhook.isValid()) {
      refused += 1;
      print("refused a POST: its signature is wrong");
      response.writeHead(401).end();
      return;
    }
    const ids = String(request.headers["x-pipit-event-ids"]).split(",");
    for (const [n, event] of (webhook.getEvents() as unknown as ReceivedWebhook[]).entries()) {
      const id = ids[n] ?? "";
      if (seen.has(id)) {
        print(`again ${eventText(event)}: known by its id, left out`);
        continue;
      }
      seen.add(id);
      events.push(event);
      print(`${eventText(event)} (signature verified)`);
    }
    response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/webhooks`,
    events,
    get refused() {
      return refused;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function eventText({ name, channel, ...rest }: ReceivedWebhook): string {
  const more = Object.entries(rest).map(([key, value]) => `${key}=${value}`);
  return [name, ...(channel === undefined ? [] : [channel]), ...more].join(" ");
}
