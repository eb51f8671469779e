/** What does a signed request to the HTTP API cost, with one event and with ten? */
import type { Endpoint } from "../support/endpoint.ts";
import { createHttpClient, type HttpClient } from "../support/http-client.ts";
import { type LoadClient, openClients, openLoadClient } from "../support/load-client.ts";
import { signedPost } from "../support/signed-request.ts";
import { createTally } from "../support/tally.ts";
import { type Load, type Scenario, scaled } from "./scenario.ts";

interface Posts {
  readonly route: string;
  readonly body: (channel: string) => unknown;
  readonly eventsPerRequest: number;
  readonly requests: number;
}

const CONNECTIONS = 16;
const BATCH_SIZE = 10;

export const postEvents: Scenario = {
  ...posts({
    route: "/events",
    body: eventTo,
    eventsPerRequest: 1,
    requests: 12_000,
  }),
  name: "post-events",
  title: "signed POST events, 1 subscriber, keep-alive",
  goal: { kind: "ratio", most: 1.5 },
};

export const postBatch: Scenario = {
  ...posts({
    route: "/batch_events",
    body: (channel) => ({ batch: Array.from({ length: BATCH_SIZE }, () => eventTo(channel)) }),
    eventsPerRequest: BATCH_SIZE,
    requests: 6_000,
  }),
  name: "post-batch",
  title: "signed batch of 10, 1 subscriber, keep-alive",
  goal: { kind: "ratio", most: 1.6 },
};

function posts(shape: Posts): Omit<Scenario, "name" | "title" | "goal"> {
  return {
    unit: "request",
    quantity: "cpu",
    sides: ["bare", "pipit"],
    takesTarget: true,
    open: (endpoint, scale, publisher) => openPosts(endpoint, shape, scale, publisher),
  };
}

interface Backend {
  readonly channel: string;
  readonly connection: HttpClient;
  readonly subscriber: LoadClient;
}

/**
 * A few backends, each on its own connection with one request under way, and each with its own channel and
 * subscriber: events of one request may share a send, those of two may not. The bare server gets the same bytes and
 * looks at no signature.
 */
async function openPosts(
  endpoint: Endpoint,
  shape: Posts,
  scale: number,
  publisher = endpoint,
): Promise<Load> {
  const { route, body, eventsPerRequest } = shape;
  const tally = createTally("events");
  const backends = await openClients(CONNECTIONS, async (n): Promise<Backend> => {
    const channel = `private-orders-${n}`;
    const subscriber = await openLoadClient(endpoint, {
      onDeliveries: tally.add,
      onLost: tally.fail,
    });
    await subscriber.subscribe(channel);
    return { channel, connection: createHttpClient(publisher), subscriber };
  });

  /** Signed anew each time: a signature is good for ten minutes. */
  async function post(backend: Backend, count: number): Promise<void> {
    const request = signedPost(publisher, route, body(backend.channel));
    await new Promise<void>((resolve, reject) => {
      let left = count;
      const onStatus = (status: number): void => {
        left -= 1;
        if (status !== 200) reject(new Error(`A request was answered with ${status}.`));
        else if (left === 0) resolve();
        else backend.connection.send(request, onStatus);
      };
      backend.connection.send(request, onStatus);
    });
  }

  async function postAll(perBackend: number): Promise<number> {
    const requests = perBackend * backends.length;
    const delivered = tally.expect(requests * eventsPerRequest);
    await Promise.all([delivered, ...backends.map((backend) => post(backend, perBackend))]);
    return requests;
  }

  const [backend] = backends;
  if (backend === undefined) throw new Error("There is no backend.");
  const first = backend.subscriber.nextText();
  await post(backend, 1);
  const sample = await first;
  while (tally.total < eventsPerRequest - 1) await turn();

  return {
    sample,
    async round() {
      return { units: await postAll(scaled(shape.requests / CONNECTIONS, scale, 2)) };
    },
    end: tally.end,
    close() {
      for (const { connection, subscriber } of backends) {
        connection.close();
        subscriber.close();
      }
    },
  };
}

function eventTo(channel: string): unknown {
  return { name: "order-created", channel, data: "x".repeat(140) };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
