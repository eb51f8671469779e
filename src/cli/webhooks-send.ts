/** `pipit webhooks send`: one test delivery, with the bytes, headers and rules of a real one. */
import type { AppKey, WebhookEndpoint } from "../apps/app.ts";
import { appSettings } from "../apps/app-settings.ts";
import { signingKey } from "../protocol/signature.ts";
import { webhookSettings } from "../server-settings.ts";
import { attemptHeaders, batchBody, deliveryId } from "../webhooks/batch.ts";
import { createHttpTarget } from "../webhooks/http-target.ts";
import type { OutboxEvent } from "../webhooks/outbox.ts";
import type { Answer } from "../webhooks/target.ts";
import { CommandFailure } from "./command-failure.ts";
import { type AccessOptions, type AppAccess, findApp } from "./webhooks-access.ts";
import { testEvent } from "./webhooks-test-event.ts";
import type { World } from "./world.ts";

export interface SendOptions extends Pick<AccessOptions, "config" | "app"> {
  readonly event: string;
  readonly channel?: string;
  readonly data?: string;
  /** Where to, instead of an endpoint of the configuration. */
  readonly url?: string;
  readonly endpoint?: string;
  readonly json?: boolean;
}

/** What a receiver may take when there is no configuration that says so. */
const DEFAULT_TIMEOUT_MS = 4_000;

/** 0: the receiver took it, 1: not. */
export async function send(world: World, options: SendOptions): Promise<number> {
  // Its --url is the receiver's: where the server is does not matter here.
  const { config, app } = options;
  const access = findApp(world, { ...(config && { config }), ...(app && { app }) });
  const endpoint = endpointFor(access, options);
  const { appId, pairs } = access;
  const { event: type, channel, data: detail } = options;
  const event = testEvent({ appId, type, channel, detail, nowMs: world.now() });
  const [pair] = pairs;
  const key: AppKey = { key: pair.key, signingKey: signingKey(pair.secret) };
  const startedMs = performance.now();
  const answer = await deliver(world, access, endpoint, key, event);
  const tookMs = Math.round(performance.now() - startedMs);
  tell(world, endpoint, event, answer, tookMs, options.json === true);
  return isTaken(answer) ? 0 : 1;
}

/** As the server delivers: the same bytes, headers, timeout and rules for targets. */
async function deliver(
  { now, version }: World,
  { appId, config }: AppAccess,
  endpoint: WebhookEndpoint,
  key: AppKey,
  event: OutboxEvent,
): Promise<Answer> {
  const nowMs = now();
  const body = batchBody(nowMs, [event]);
  const delivery = deliveryId(appId, endpoint.id, [event]);
  const settings = config && webhookSettings(config);
  const target = createHttpTarget({ now, ...(settings && { rules: settings.targets }) });
  const answer = await target.send(
    {
      endpoint: `${appId}:${endpoint.id}`,
      url: endpoint.url,
      headers: attemptHeaders({
        endpoint,
        key,
        body,
        delivery,
        attempt: 1,
        events: [event],
        nowMs,
        version,
      }),
      body,
      timeoutMs: endpoint.timeoutMs ?? settings?.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      concurrency: 1,
      tls: endpoint.tls,
    },
    new AbortController().signal,
  );
  await target.close();
  return answer;
}

function tell(
  world: World,
  { url }: WebhookEndpoint,
  { id, type, channel }: OutboxEvent,
  answer: Answer,
  tookMs: number,
  isJson: boolean,
): void {
  if (!isJson) {
    const verb = answer.kind === "answered" || answer.kind === "timeout" ? "sent to" : "for";
    world.out(`${type} on ${channel} ${verb} ${new URL(url).origin}, event id ${id}\n`);
    world.out(`${answerText(answer)}, after ${tookMs} ms\n`);
    return;
  }
  const status = answer.kind === "answered" ? answer.status : null;
  const result = { id, event: type, channel, outcome: answer.kind, status, took_ms: tookMs };
  world.out(`${JSON.stringify(result, undefined, 2)}\n`);
}

function isTaken(answer: Answer): boolean {
  return answer.kind === "answered" && answer.status >= 200 && answer.status < 300;
}

function answerText(answer: Answer): string {
  switch (answer.kind) {
    case "answered":
      return isTaken(answer)
        ? `taken: ${answer.status}`
        : `not taken: ${answer.status}, so Pipit would try again or give up (docs/webhooks.md)`;
    case "timeout":
      return "not taken: no answer in time";
    case "refused_target":
      return `not sent: the address is refused (${answer.reason}), see webhooks.private_targets and webhooks.https_only`;
    case "connection":
      return `not taken: no connection (${answer.reason})`;
  }
}

function endpointFor({ app, appId }: AppAccess, { url, endpoint }: SendOptions): WebhookEndpoint {
  if (url !== undefined) return endpointAt(url);
  const endpoints = app === undefined ? [] : appSettings(app).webhooks;
  const [first] = endpoints;
  const found =
    endpoint === undefined && endpoints.length === 1
      ? first
      : endpoints.find(({ id }) => id === endpoint);
  if (found !== undefined) return found;
  const ids = endpoints.map(({ id }) => id).join(", ") || "none";
  const problem =
    endpoint === undefined ? "Say where to" : `There is no endpoint ${JSON.stringify(endpoint)}`;
  throw new CommandFailure(
    2,
    `${problem}: --endpoint with one of app ${appId} (${ids}), or --url with that of a receiver.`,
  );
}

function endpointAt(url: string): WebhookEndpoint {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new CommandFailure(
      2,
      `--url is ${JSON.stringify(url)}, the http or https URL of a receiver is needed.`,
    );
  }
  return {
    id: "test",
    url,
    eventTypes: new Set(),
    headers: {},
    filter: { startsWith: undefined, endsWith: undefined, pattern: undefined },
    enabled: true,
    timeoutMs: undefined,
    concurrency: undefined,
    maxRequestsPerSecond: Number.POSITIVE_INFINITY,
    standardWebhooks: false,
    tls: undefined,
  };
}
