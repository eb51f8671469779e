/** What the commands make of a server that cannot be reached. */
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { CommandFailure } from "../../src/cli/command-failure.ts";
import { createApiClient } from "../../src/cli/webhooks-client.ts";

async function listen(t: TestContext, answer: RequestListener) {
  const server = createServer({ keepAlive: false }, answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  t.after(close);
  const { port } = server.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}`;
  const pair = { key: "key", secret: "secret" };
  const access = { base, certificate: undefined };
  return { client: createApiClient({ server: access, appId: "1", pair, now: Date.now }), close };
}

const reached = async (call: Promise<unknown>): Promise<CommandFailure> => {
  const error = await call.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof CommandFailure);
  return error;
};

test("a server that has answered is asked again when its connection breaks or nothing listens", async (t) => {
  let breaks = false;
  const { client, close } = await listen(t, (request, response) => {
    if (breaks) request.socket.destroy();
    else response.end("{}");
  });
  await client.get("");
  breaks = true;
  const broken = await reached(client.post("/one/replay", { all: true }));
  assert.ok(broken.retryAfterMs !== undefined && broken.retryAfterMs >= 1_000);
  await close();
  const gone = await reached(client.post("/one/replay", { all: true }));
  assert.match(gone.message, /Nothing listens/);
  assert.equal(gone.retryAfterMs, broken.retryAfterMs);
});

test("a server that has never answered is not asked again", async (t) => {
  const { client, close } = await listen(t, (request) => request.socket.destroy());
  assert.equal((await reached(client.get(""))).retryAfterMs, undefined);
  await close();
  assert.equal((await reached(client.get(""))).retryAfterMs, undefined);
});

for (const status of [502, 503, 504]) {
  test(`a status of ${status} may be another answer later`, async (t) => {
    const { client } = await listen(t, (_, response) => response.writeHead(status).end());
    const failure = await reached(client.get(""));
    assert.deepEqual([failure.exitCode, failure.retryAfterMs], [2, 1_000]);
  });
}
