/** What an endpoint with `standard_webhooks` sends is what the library of Standard Webhooks accepts. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { APP, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";

interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

async function openReceiver(t: TestContext, statuses: number[]) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    received.push({ headers: request.headers as Record<string, string>, body });
    response.writeHead(statuses.shift() ?? 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received };
}

/** As docs/webhooks.md says it. */
const library = new Webhook(`whsec_${Buffer.from(APP.secret).toString("base64")}`);

test("the library verifies a delivery and its repeat, which have one id, and nothing else", async (t) => {
  const { url, received } = await openReceiver(t, [500]);
  const pipit = await startPipit(
    t,
    { webhooks: [{ url, standard_webhooks: true }] },
    { webhooks: { retry: { initial_ms: 10 } } },
  );
  await (await pipit.connect()).subscribe("room");
  const [first, second] = await until("the POST has been repeated", () =>
    received.length >= 2 ? received : false,
  );
  assert.ok(first && second);
  for (const { headers, body } of [first, second]) {
    const verified = library.verify(body, headers) as { events: { channel: string }[] };
    assert.equal(verified.events[0]?.channel, "room");
    assert.equal(headers["webhook-id"], headers["x-pipit-delivery"]);
    assert.ok(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1_000) < 60);
  }
  assert.equal(first.headers["webhook-id"], second.headers["webhook-id"]);
  assert.throws(() => library.verify(`${first.body} `, first.headers), WebhookVerificationError);
  const other = { ...first.headers, "webhook-id": "0" };
  assert.throws(() => library.verify(first.body, other), WebhookVerificationError);
});

test("an endpoint that does not ask for them gets none of these headers", async (t) => {
  const { url, received } = await openReceiver(t, []);
  const pipit = await startPipit(t, { webhooks: [{ url }] });
  await (await pipit.connect()).subscribe("room");
  const { headers } = await until("a POST arrives", () => received[0]);
  assert.deepEqual(
    Object.keys(headers).filter((name) => name.startsWith("webhook-")),
    [],
  );
});
