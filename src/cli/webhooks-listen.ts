/** `pipit webhooks listen`: a receiver on this machine that shows every delivery and whether it is genuine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readBounded } from "./bounded-body.ts";
import { CommandFailure } from "./command-failure.ts";
import { failureText } from "./failure.ts";
import { type AccessOptions, type AppAccess, findApp } from "./webhooks-access.ts";
import { deliveryText } from "./webhooks-delivery-text.ts";
import { type Forwarded, forward } from "./webhooks-forward.ts";
import { judge } from "./webhooks-verdict.ts";
import { MAX_BODY_BYTES } from "./webhooks-verify.ts";
import type { World } from "./world.ts";

export interface ListenOptions extends Pick<AccessOptions, "config" | "app"> {
  /** 0: any. */
  readonly port: number;
  readonly forward?: string;
  readonly json?: boolean;
}

const HOST = "127.0.0.1";

/** Goes on until SIGINT or SIGTERM, then 0. */
export async function listen(world: World, options: ListenOptions): Promise<number> {
  const { config, app } = options;
  const access = findApp(world, { ...(config && { config }), ...(app && { app }) });
  const target = options.forward === undefined ? undefined : readTarget(options.forward);
  const server = createServer((request, response) => {
    take(world, access, options, target, request, response).catch((error: unknown) => {
      world.err(failureText(error));
      response.destroy();
    });
  });
  await begin(server, options.port);
  const { port } = server.address() as AddressInfo;
  const to = target === undefined ? "" : `, and hands them on to ${target.origin}`;
  world.err(
    `Listens for webhooks of app ${access.appId} at http://${HOST}:${port}/${to}. Set it as the "url" of an endpoint; Ctrl-C ends it.\n`,
  );
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"]) world.process.on(signal, () => resolve());
  });
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return 0;
}

async function begin(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, HOST, resolve);
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new CommandFailure(
      2,
      `Port ${port} cannot be listened on (${code}): choose another with --port.`,
    );
  }
}

async function take(
  world: World,
  { pairs }: AppAccess,
  { json: isJson = false }: ListenOptions,
  target: URL | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== "POST") return end(response, 405);
  const body = await readBody(request);
  if (body === "gone") return;
  if (body === undefined) {
    world.err(`pipit: a delivery of more than ${MAX_BODY_BYTES} bytes was refused.\n`);
    return end(response, 413);
  }
  const receivedMs = world.now();
  const { headers } = request;
  const verdict = judge(
    {
      key: first(headers["x-pusher-key"]),
      signature: first(headers["x-pusher-signature"]),
      contentType: headers["content-type"],
      body,
    },
    pairs,
    receivedMs,
  );
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const forwarded = target && (await forward(target, headers, body, gone.signal));
  const status = statusFor(verdict.refusal, forwarded);
  world.out(
    deliveryText(
      {
        receivedMs,
        delivery: first(headers["x-pipit-delivery"]),
        attempt: first(headers["x-pipit-attempt"]),
        ids: first(headers["x-pipit-event-ids"])?.split(",") ?? [],
        body,
        verdict,
        forwarded,
        status: gone.signal.aborted ? undefined : status,
      },
      isJson,
    ),
  );
  end(response, status, forwarded);
}

/** What the receiver behind says counts; without one, what any would say. */
function statusFor(refusal: string | undefined, forwarded: Forwarded | undefined): number {
  if (forwarded === undefined) return refusal === undefined ? 200 : 401;
  return "status" in forwarded ? forwarded.status : 502;
}

/** Undefined: too long; `gone`: the sender went away, and there is nobody left to answer. */
async function readBody(request: IncomingMessage): Promise<Buffer | "gone" | undefined> {
  try {
    return await readBounded(request, MAX_BODY_BYTES);
  } catch (error) {
    if (request.destroyed) return "gone";
    throw error;
  }
}

function end(response: ServerResponse, status: number, forwarded?: Forwarded): void {
  const retryAfter =
    forwarded !== undefined && "retryAfter" in forwarded ? forwarded.retryAfter : undefined;
  response.writeHead(status, retryAfter === undefined ? {} : { "Retry-After": retryAfter }).end();
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function readTarget(text: string): URL {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text);
  throw new CommandFailure(
    2,
    `--forward is ${JSON.stringify(text)}, the http or https URL of your receiver is needed.`,
  );
}
