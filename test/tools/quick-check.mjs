/**
 * Does a built Pipit work here? Starts it with a config, lets a real client receive what a real backend
 * publishes, and verifies a webhook. Plain JavaScript and plain `node`, for places without the dev tools:
 *
 *   node quick-check.mjs <folder of Pipit> <folder with pusher and pusher-js in node_modules>
 *
 * Uses loopback only, ends by itself, exit code 0 when all has come.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const WITHIN_MS = 30_000;
const CHANNEL = "private-quick-check";

const [pipitFolder = ".", clientFolder = "."] = process.argv.slice(2).map((path) => resolve(path));
const require = createRequire(join(clientFolder, "package.json"));
const PusherServer = require("pusher");
const { default: PusherClient = require("pusher-js") } = require("pusher-js");

const watchdog = setTimeout(() => fail(`Not done within ${WITHIN_MS} ms.`), WITHIN_MS);
const configFile = join(tmpdir(), `pipit-quick-check-${process.pid}.json`);
let server;
process.on("exit", () => {
  server?.kill("SIGKILL");
  rmSync(configFile, { force: true });
});

const webhooks = [];
let webhookCame;
const receiver = createServer(async (request, response) => {
  let rawBody = "";
  for await (const chunk of request) rawBody += chunk;
  webhooks.push({ headers: request.headers, rawBody });
  response.end();
  webhookCame?.();
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");

const [port, metricsPort] = await freePorts(2);
const config = JSON.parse(readFileSync(join(pipitFolder, "config.json"), "utf8"));
delete config.$schema;
const [app] = config.app_manager.apps;
app.webhooks = [
  { url: `http://127.0.0.1:${receiver.address().port}/`, event_types: ["channel_occupied"] },
];
Object.assign(config, { port, metrics: { host: "127.0.0.1", port: metricsPort } });
writeFileSync(configFile, JSON.stringify(config));

await startServer();
said(`serves on Node ${process.versions.node}, ${await loadedUws()}`);

const backend = new PusherServer({
  appId: app.id,
  key: app.key,
  secret: app.secret,
  host: "127.0.0.1",
  port: String(port),
  useTLS: false,
});
const client = new PusherClient(app.key, {
  wsHost: "127.0.0.1",
  wsPort: port,
  forceTLS: false,
  enabledTransports: ["ws"],
  disableStats: true,
  cluster: "",
  channelAuthorization: {
    customHandler: ({ socketId, channelName }, done) =>
      done(null, backend.authorizeChannel(socketId, channelName)),
  },
});
const channel = client.subscribe(CHANNEL);
await new Promise((joined, refused) => {
  channel.bind("pusher:subscription_succeeded", joined);
  channel.bind("pusher:subscription_error", (error) => refused(new Error(JSON.stringify(error))));
}).catch((error) => fail(`The subscription was refused: ${error.message}`));
said(`subscribed to ${CHANNEL}`);

const received = new Promise((came) => channel.bind("greeting", came));
await backend.trigger(CHANNEL, "greeting", { text: "hello" });
const { text } = await received;
if (text !== "hello") fail(`Received ${JSON.stringify(text)}.`);
said("received what was published");

while (webhooks.length === 0) {
  await new Promise((came) => {
    webhookCame = came;
  });
}
const webhook = backend.webhook(webhooks[0]);
const events = webhook.isValid() ? webhook.getEvents() : fail("The webhook's signature is wrong.");
if (events[0]?.name !== "channel_occupied" || events[0]?.channel !== CHANNEL) {
  fail(`The webhook says ${JSON.stringify(events)}.`);
}
said("verified the webhook channel_occupied");

client.disconnect();
server.kill("SIGTERM");
const [exitCode] = await once(server, "exit");
if (exitCode !== 0) fail(`The server ended with ${exitCode}.`);
said("stopped with exit code 0");
receiver.close();
clearTimeout(watchdog);
process.exit(0);

async function startServer() {
  const args = [join(pipitFolder, "dist", "main.js"), "start", "--config", configFile];
  server = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [server.stdout, server.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  server.once("exit", (code) => code !== 0 && fail(`The server ended with ${code}:\n${output}`));
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((waited) => setTimeout(waited, 50));
  }
}

/** Which native library serves, from the metrics. */
async function loadedUws() {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const [, name, version] = /uws_package="([^"]+)",uws_version="([^"]+)"/.exec(text) ?? [];
  return `${name} ${version}`;
}

/** Ports that were free a moment ago. */
async function freePorts(count) {
  const holders = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(holders.map((holder) => once(holder, "listening")));
  const ports = holders.map((holder) => holder.address().port);
  for (const holder of holders) holder.close();
  return ports;
}

function said(text) {
  console.log(`ok: ${text}`);
}

function fail(text) {
  console.error(`failed: ${text}`);
  process.exit(1);
}
