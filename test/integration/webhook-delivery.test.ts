/** Webhooks over real HTTP to real receivers, each delivery verified by the pusher library. */
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { WebhookEndpoint } from "../../src/apps/app.ts";
import { channelEvent } from "../../src/protocol/webhook-event.ts";
import type { WebhookSettings } from "../../src/webhooks/settings.ts";
import { until } from "../support/until.ts";
import { app, appRegistry, endpoint, SETTINGS } from "../webhooks/fixtures.ts";
import { openPipeline } from "../webhooks/pipeline.ts";
import { openReceiver, type Receiver, readDelivery, status } from "../webhooks/receiver.ts";

/** Short waits, so that an outage ends within a test. */
const QUICK: Partial<WebhookSettings> = {
  batching: { ...SETTINGS.batching, windowMs: 2 },
  retry: { initialMs: 10, maxMs: 100, budgetMs: 60_000 },
};

function open(
  t: TestContext,
  endpoints: WebhookEndpoint[],
  settings: Partial<WebhookSettings> = QUICK,
) {
  return openPipeline(t, { apps: appRegistry(app("app", { webhooks: endpoints })), settings });
}

async function openWith(t: TestContext, receiver: Receiver, settings?: Partial<WebhookSettings>) {
  return open(t, [endpoint("one", { url: receiver.url })], settings);
}

function assertAllValid(receiver: Receiver): void {
  assert.ok(receiver.deliveries.length > 0);
  for (const { isValid } of receiver.deliveries) assert.equal(isValid, true);
}

describe("a webhook over HTTP", () => {
  test("arrives with a body, headers and signature that the pusher library accepts", async (t) => {
    const receiver = await openReceiver(t);
    const { occupy } = await open(t, [
      endpoint("one", { url: receiver.url, headers: { "X-Mine": "yes" } }),
    ]);
    occupy("room");
    const delivery = await until("it arrives", () => receiver.accepted[0]);
    assertAllValid(receiver);
    assert.equal(
      delivery.body,
      `{"time_ms":${delivery.timeMs},"events":[{"name":"channel_occupied","channel":"room"}]}`,
    );
    assert.equal(delivery.path, "/hook?a=1");
    assert.equal(delivery.headers["content-type"], "application/json");
    assert.equal(delivery.headers["user-agent"], "Pipit/1.2.3");
    assert.equal(delivery.headers["x-mine"], "yes");
    assert.equal(delivery.headers["x-pipit-attempt"], "1");
    assert.match(String(delivery.headers["x-pipit-delivery"]), /^[0-9a-f]{32}$/);
    assert.match(String(delivery.headers["x-pipit-event-ids"]), /^\d+-\d+-\d+-\d+$/);
  });

  test("keeps characters of every script through body and signature", async (t) => {
    const receiver = await openReceiver(t);
    const { events } = await openWith(t, receiver);
    const json = `{"name":"client_event","channel":"c","event":"client-x","data":"\\"Grüße 🐦 \\u2028\\"","socket_id":"1.1"}`;
    events.append("app", "c", { type: "client_event", json });
    const delivery = await until("it arrives", () => receiver.accepted[0]);
    assertAllValid(receiver);
    assert.deepEqual(delivery.events, [JSON.parse(json)]);
  });

  test("goes over connections that are kept open", async (t) => {
    const receiver = await openReceiver(t);
    const { occupy } = await openWith(t, receiver);
    for (let i = 1; i <= 5; i++) {
      occupy(`c${i}`);
      await until(`delivery ${i} arrives`, () => receiver.accepted.length === i);
    }
    assert.equal(receiver.sockets.count, 1);
  });
});

describe("a receiver's trouble is retried until the event is taken, in order", () => {
  const troubles: Record<string, Receiver["respond"]> = {
    "500": status(500),
    "a redirect, which is not followed": status(307, { location: "/elsewhere" }),
    "no answer": () => {},
    "a reset connection": (_delivery, response) => response.socket?.resetAndDestroy(),
    "a body that does not end": (_delivery, response) => {
      response.writeHead(200).write("begun");
    },
    "an answer that is cut off": (_delivery, response) => {
      response.writeHead(200, { "content-length": "100" }).write("begun");
      response.socket?.destroySoon();
    },
    "what is not HTTP": (_delivery, response) => response.socket?.end("nonsense\r\n\r\n"),
    "headers past the bound": status(200, { "x-long": "x".repeat(40_000) }),
  };
  for (const [name, trouble] of Object.entries(troubles)) {
    test(name, async (t) => {
      const taken = new Map<string, string>();
      const receiver = await openReceiver(t, (delivery, response, number) => {
        if (number <= 2) return trouble(delivery, response, number);
        for (const [i, event] of delivery.events.entries()) {
          taken.set(delivery.ids[i] ?? "", event.name);
        }
        status(200)(delivery, response, number);
      });
      const { events, webhooks } = await openWith(t, receiver, { ...QUICK, timeoutMs: 300 });
      const append = (type: "channel_occupied" | "channel_vacated" | "cache_miss") =>
        events.append("app", "a", channelEvent(type, "a"));
      append("channel_occupied");
      await until("the first attempt arrives", () => receiver.deliveries.length > 0);
      append("channel_vacated");
      append("cache_miss");
      await until("all are taken", () => taken.size === 3);
      assert.deepEqual([...taken.values()], ["channel_occupied", "channel_vacated", "cache_miss"]);
      const [first, second, third] = receiver.deliveries;
      assert.equal(second?.body, first?.body);
      assert.equal(third?.body, first?.body);
      assert.equal(third?.path, "/hook?a=1");
      assert.equal(third?.headers["x-pipit-attempt"], "3");
      assertAllValid(receiver);
      const report = await until("all are settled", async () =>
        (await webhooks.endpoints()).find(({ backlog }) => backlog === 0),
      );
      assert.equal(report.counters.delivered, 3);
      assert.equal(report.deadLetters, 0);
    });
  }

  test("a huge answer is given up and the delivery stands", async (t) => {
    const receiver = await openReceiver(t, (_delivery, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (response.write("x".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    });
    const { occupy, webhooks } = await openWith(t, receiver);
    occupy("a");
    await until(
      "it counts as delivered",
      async () =>
        (await webhooks.endpoints())[0]?.backlog === 0 && receiver.deliveries.length === 1,
    );
    const [report] = await webhooks.endpoints();
    assert.equal(report?.counters.attempts["2xx"], 1);
  });

  test("Retry-After is waited for", async (t) => {
    const receiver = await openReceiver(t, (delivery, response, number) => {
      status(number === 1 ? 503 : 200, { "retry-after": "1" })(delivery, response, number);
    });
    const settings = { ...QUICK, retry: { initialMs: 1, maxMs: 5_000, budgetMs: 60_000 } };
    const { occupy } = await openWith(t, receiver, settings);
    occupy("a");
    await until("the first attempt arrives", () => receiver.deliveries.length === 1);
    const failedMs = performance.now();
    await until("it is taken", () => receiver.accepted.length === 1);
    assert.ok(performance.now() - failedMs > 900);
  });

  test("410 stops all POSTs until the endpoint is resumed", async (t) => {
    const receiver = await openReceiver(t, status(410));
    const retry = { initialMs: 1, maxMs: 60_000, budgetMs: 60_000 };
    const { occupy, webhooks } = await openWith(t, receiver, { ...QUICK, retry });
    occupy("a");
    await until("it is paused", async () => (await webhooks.endpoints())[0]?.state === "paused");
    receiver.respond = status(200);
    occupy("b");
    await until("b waits", async () => (await webhooks.endpoints())[0]?.backlog === 2);
    assert.equal(receiver.deliveries.length, 1);
    await webhooks.operations.resume({ appId: "app", endpointId: "one" });
    await until("both are taken", () => receiver.channels().length === 2);
    assert.equal(receiver.deliveries[0]?.body, receiver.deliveries[1]?.body);
  });
});

describe("endpoints are apart", () => {
  test("two with one url each get every event, with deliveries of their own", async (t) => {
    const receiver = await openReceiver(t);
    const { occupy } = await open(t, [
      endpoint("one", { url: receiver.url }),
      endpoint("two", { url: receiver.url }),
    ]);
    occupy("a");
    await until("both arrive", () => receiver.accepted.length === 2);
    const deliveries = new Set(receiver.accepted.map(({ headers }) => headers["x-pipit-delivery"]));
    assert.equal(deliveries.size, 2);
    assert.deepEqual(receiver.accepted[0]?.ids, receiver.accepted[1]?.ids);
  });

  test("a healthy one has everything while a dead and a hanging one still wait for their first", async (t) => {
    const dead = await openReceiver(t, status(500));
    const hanging = await openReceiver(t, () => {});
    const healthy = await openReceiver(t);
    const { occupy, webhooks } = await open(
      t,
      [
        endpoint("dead", { url: dead.url }),
        endpoint("hanging", { url: hanging.url }),
        endpoint("healthy", { url: healthy.url }),
      ],
      { ...QUICK, timeoutMs: 60_000 },
    );
    for (let i = 0; i < 500; i++) occupy(`c${i}`);
    await until("the healthy one has all", () => healthy.channels().length === 500);
    assert.equal(dead.accepted.length, 0);
    assert.equal(hanging.accepted.length, 0);
    for (const { endpointId, counters, backlog } of await webhooks.endpoints()) {
      if (endpointId !== "healthy") assert.deepEqual([counters.delivered, backlog], [0, 500]);
    }
  });
});

describe("a receiver that is killed in the middle and started again", () => {
  test("gets every event in order per channel, none invented", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "pipit-receiver-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "deliveries.jsonl");
    let [child, port] = await startReceiver(t, 0, path);
    const healthy = await openReceiver(t);
    const { events, webhooks } = await open(t, [
      endpoint("killed", { url: `http://127.0.0.1:${port}/` }),
      endpoint("healthy", { url: healthy.url }),
    ]);
    const sent: string[] = [];
    const append = (n: number): void => {
      const channel = `c${n % 20}`;
      const json = `{"name":"client_event","channel":"${channel}","event":"client-x","data":"${n}","socket_id":"1.1"}`;
      events.append("app", channel, { type: "client_event", json });
      sent.push(json);
    };
    for (let n = 0; n < 400; n++) append(n);
    await until("some have arrived", () => readAccepted(path).length > 0);
    child.kill("SIGKILL");
    await once(child, "exit");
    for (let n = 400; n < 1_000; n++) append(n);
    await until("the healthy endpoint has all", () => healthy.channels().length === 1_000);
    await until("the killed one is known to be down", async () =>
      (await webhooks.endpoints()).some(({ state }) => state === "backing_off"),
    );
    [child, port] = await startReceiver(t, port, path);
    await until("nothing waits", async () =>
      (await webhooks.endpoints()).every(({ backlog }) => backlog === 0),
    );
    const deliveries = readAccepted(path);
    for (const { isValid } of deliveries) assert.equal(isValid, true);
    assertFirstArrivalsInOrder(deliveries, sent);
    assert.ok((await webhooks.endpoints()).every(({ counters }) => counters.dead === 0));
  });
});

async function startReceiver(
  t: TestContext,
  port: number,
  path: string,
): Promise<[ChildProcess, number]> {
  const child = fork(
    new URL("webhook-delivery-receiver.ts", import.meta.url),
    [String(port), path],
    {
      execArgv: ["--import", "tsx"],
    },
  );
  t.after(() => child.kill("SIGKILL"));
  const [listening] = await once(child, "message");
  return [child, Number(listening)];
}

function readAccepted(path: string) {
  if (!existsSync(path)) return [];
  // The last line may be half-written when its writer was killed.
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const { headers, body } = JSON.parse(line) as { headers: IncomingHttpHeaders; body: string };
    return readDelivery(headers, "/", body);
  });
}

/** All of `sent` and nothing else arrived; what arrived again has the same id; per channel in order. */
function assertFirstArrivalsInOrder(
  deliveries: readonly ReturnType<typeof readDelivery>[],
  sent: readonly string[],
): void {
  const byId = new Map<string, string>();
  for (const { ids, events } of deliveries) {
    events.forEach((event, i) => {
      const json = JSON.stringify(event);
      const id = ids[i] ?? "";
      assert.equal(byId.get(id) ?? json, json, "an id names one event");
      byId.set(id, json);
    });
  }
  const arrived = [...byId.values()];
  const perChannel = (all: readonly string[]) => {
    const groups = new Map<string, string[]>();
    for (const json of all) {
      const { channel } = JSON.parse(json) as { channel: string };
      groups.set(channel, [...(groups.get(channel) ?? []), json]);
    }
    return groups;
  };
  assert.equal(arrived.length, sent.length);
  assert.deepEqual(perChannel(arrived), perChannel(sent));
}
