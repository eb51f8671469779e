/** The webhook operations on a node that is alone: over the HTTP API, by the commands, with real receivers. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import type { ConfigInput } from "../../src/config/config.ts";
import { createCertificate } from "../support/certificate.ts";
import { type CommandLine, commandLine } from "../support/command-line.ts";
import { subscribe } from "../support/commands.ts";
import { freePort } from "../support/free-port.ts";
import { APP, type Pipit, startPipit } from "../support/pipit.ts";
import { until } from "../support/until.ts";
import { firstArrivals, startReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

interface Rig {
  readonly pipit: Pipit;
  readonly receiver: WebhookReceiver;
  readonly cli: CommandLine;
}

/** One endpoint, `orders`, whose retry budget is soon over. */
async function createRig(t: TestContext, config: ConfigInput = {}, enabled = true): Promise<Rig> {
  const receiver = await startReceiver(t, APP);
  const webhooks = [
    { id: "orders", url: receiver.url, event_types: ["channel_occupied" as const], enabled },
  ];
  const retry = { initial_ms: 20, max_ms: 50, budget_s: 1 };
  const pipit = await startPipit(t, { webhooks }, { webhooks: { retry }, ...config });
  const app = { ...APP, webhooks };
  return { pipit, receiver, cli: commandLine(t, cliConfig(pipit, app, config)) };
}

function cliConfig(pipit: Pipit, app: object, config: ConfigInput = {}): ConfigInput {
  return { ...config, port: pipit.port, app_manager: { apps: [app] } } as ConfigInput;
}

async function statusOf(cli: CommandLine): Promise<Record<string, unknown>> {
  const { endpoints } = await cli.json("webhooks", "status");
  return (endpoints as Record<string, unknown>[])[0] ?? {};
}

/** Subscribes to so many channels while the receiver answers 500, until their events are dead. */
async function letDie(rig: Rig, channels: readonly string[]): Promise<void> {
  const answer = rig.receiver.answer;
  rig.receiver.answer = (response) => response.writeHead(500).end();
  const socket = await rig.pipit.raw();
  for (const channel of channels) await subscribe(socket, channel);
  await until(
    "the events are dead letters",
    async () => (await statusOf(rig.cli)).dead_letters === channels.length,
    10_000,
  );
  rig.receiver.answer = answer;
  rig.receiver.deliveries.length = 0;
}

test("an operator sees what died, sends one again, drops one, and replays the rest", async (t) => {
  const rig = await createRig(t);
  const { cli, receiver } = rig;
  await letDie(rig, ["a", "b", "c", "d"]);
  const listed = await cli.json("webhooks", "list", "orders");
  const letters = listed.dead_letters as { id: string; channel: string; reason: string }[];
  assert.deepEqual(letters.map(({ channel }) => channel).sort(), ["a", "b", "c", "d"]);
  const idOf = (channel: string) => letters.find((one) => one.channel === channel)?.id ?? "";

  const shown = await cli.json("webhooks", "show", "orders", idOf("a"));
  assert.deepEqual(shown.payload, { name: "channel_occupied", channel: "a" });
  assert.deepEqual([shown.place, shown.last_status], ["dead", "500"]);

  assert.equal((await cli.json("webhooks", "replay", "orders", idOf("a"))).changed, 1);
  await until("it has come", () => receiver.events().length === 1);
  assert.equal(receiver.deliveries[0]?.headers["x-pipit-event-ids"], idOf("a"));

  const unconfirmed = await cli.run("webhooks", "drop", "orders", "--all");
  assert.deepEqual([unconfirmed.code, unconfirmed.out], [2, ""]);
  assert.match(unconfirmed.err, /drops the 3 dead letters of orders.*--yes/);
  const dropped = await cli.run("webhooks", "drop", "orders", "--channel", "b", "--yes");
  assert.equal(dropped.out, "1 event dropped from orders.\n");
  const replayed = await cli.run("webhooks", "replay", "orders", "--all");
  assert.deepEqual([replayed.code, replayed.out], [0, "2 events replayed for orders.\n"]);
  await until("all have come", () => firstArrivals(receiver).length === 3);
  assert.deepEqual(
    firstArrivals(receiver)
      .map(({ channel }) => channel)
      .sort(),
    ["a", "c", "d"],
  );
  const gone = await cli.run("webhooks", "show", "orders", idOf("b"));
  assert.equal(gone.code, 1);
  assert.match(gone.err, /neither waits for endpoint "orders" nor is it among its dead letters/);
});

test("an event that is named and nowhere is told, with exit code 1, and the others are done", async (t) => {
  const rig = await createRig(t);
  const { cli } = rig;
  await letDie(rig, ["a", "b"]);
  const { dead_letters } = await cli.json("webhooks", "list", "orders");
  const [a = "", b = ""] = (dead_letters as { id: string }[]).map(({ id }) => id);
  const nowhere = a.replace(/\d+$/, "999");
  const none = await cli.run("webhooks", "replay", "orders", nowhere, nowhere);
  assert.deepEqual([none.code, none.out], [1, "0 events replayed for orders.\n"]);
  assert.match(none.err, /1 of the 1 event named not found: no dead letter of orders has the id/);
  const one = await cli.run("webhooks", "drop", "orders", nowhere, a, "--yes");
  assert.deepEqual([one.code, one.out], [1, "1 event dropped from orders.\n"]);
  assert.match(one.err, /1 of the 2 events named not found/);
  assert.equal((await cli.run("webhooks", "drop", "orders", b, b, "--yes")).code, 0);
  const chosen = await cli.run("webhooks", "replay", "orders", "--channel", "a");
  assert.equal(chosen.code, 0, "nobody has said that there is one");
});

test("a paused endpoint collects, and gets everything when it is resumed", async (t) => {
  const { pipit, cli, receiver } = await createRig(t);
  assert.match((await cli.run("webhooks", "pause", "orders")).out, /^orders is paused/);
  await subscribe(await pipit.raw(), "room");
  const waiting = await until("it waits", async () => {
    const status = await statusOf(cli);
    return status.backlog === 1 && status;
  });
  assert.equal(waiting.state, "paused");
  assert.equal((waiting.pause as { reason: string }).reason, "operator");
  const text = (await cli.run("webhooks", "status")).out;
  assert.match(text, /^orders +paused +1 .*paused since .*by an operator/m);
  assert.match(text, /send again: pipit webhooks resume orders --app 42$/m);
  assert.deepEqual(receiver.events(), []);
  await cli.run("webhooks", "resume", "orders");
  await until("it has come", () => receiver.events().length === 1);
});

test("what is said of an endpoint that nothing is sent to is true", async (t) => {
  const { cli } = await createRig(t, {}, false);
  const paused = await cli.run("webhooks", "pause", "orders");
  assert.match(
    paused.out,
    /^orders is paused: nothing is sent to it, also when it is no longer dis/,
  );
  const resumed = await cli.run("webhooks", "resume", "orders");
  assert.equal(resumed.out, "orders is not paused, but it is disabled: nothing is sent to it.\n");
  const retried = await cli.run("webhooks", "retry", "orders");
  assert.equal(retried.code, 1);
  assert.match(retried.err, /Refused.*"orders" has enabled: false: nothing is sent to it/);
});

test("explain says what was delivered last, and ends with 1 when nobody gets the event", async (t) => {
  const { pipit, cli, receiver } = await createRig(t);
  await subscribe(await pipit.raw(), "room");
  await until("it has come", () => receiver.events().length === 1);
  const explain = (event: string, channel: string) =>
    cli.run("webhooks", "explain", "--event", event, "--channel", channel);
  const taken = await until("it is settled", async () => {
    const answer = await explain("channel_occupied", "room");
    return /last channel_occupied on room delivered/.test(answer.out) && answer;
  });
  assert.equal(taken.code, 0);
  assert.match(taken.out, /orders \(http:.*\) takes it\n {2}healthy\n {2}last .*, \d+ ms after/);
  const other = await explain("channel_occupied", "hall");
  assert.match(other.out, /no channel_occupied on hall delivered by the node that was asked/);
  const refused = await explain("channel_vacated", "room");
  assert.equal(refused.code, 1);
  assert.match(refused.out, /does not take it\n {2}event_types does not name channel_vacated/);
  const impossible = await explain("cache_miss", "room");
  assert.equal(impossible.code, 1);
  assert.match(impossible.out, /It never happens\. Only cache channels/);
});

test("explain says how many of those that wait and of the dead letters are meant", async (t) => {
  const rig = await createRig(t);
  const { cli, pipit } = rig;
  const explain = async (channel: string) =>
    (await cli.run("webhooks", "explain", "--event", "channel_occupied", "--channel", channel)).out;
  await letDie(rig, ["a", "b"]);
  assert.match(await explain("b"), /\n {2}1 dead letter of it, the last [-\d]+ \(budget\)\n/);
  await cli.run("webhooks", "pause", "orders");
  const socket = await pipit.raw();
  for (const channel of ["c", "d"]) await subscribe(socket, channel);
  await until("both wait", async () => (await statusOf(cli)).backlog === 2);
  assert.match(
    await explain("d"),
    /2 events wait, .*\n {2}of them 1 channel_occupied on d, the oldest [-\d]+ for \d+s\n/,
  );
  const other = await explain("e");
  assert.match(other, /\n {2}of them no channel_occupied on e\n/);
  assert.doesNotMatch(other, /dead letter/);
});

test("what cannot be done is said, with what there is, and changes nothing", async (t) => {
  const { pipit, cli } = await createRig(t);
  for (const [args, code, text] of [
    [["list", "order"], 1, /has no webhook endpoint "order": it has orders/],
    [["replay", "orders"], 2, /Say which dead letters are meant/],
    [["replay", "orders", "--all", "--channel", "a"], 2, /--all goes with no/],
    [["replay", "orders", "x"], 2, /"ids" has "x", an id like/],
    [["replay", "order", "--all"], 1, /no endpoint "order": the app has orders/],
    [["drop", "orders", "--backlog", "--yes"], 1, /Refused, nothing was changed: .*in use/],
    [["drop", "orders", "--backlog", "--all", "--yes"], 2, /--backlog is all that waits/],
    [["move", "orders", "--to", "x"], 1, /Refused, nothing was changed/],
    [["move", "orders"], 2, /--to <endpoint>/],
    [["explain", "--event", "ocupied", "--channel", "a"], 2, /"event" is "ocupied", one of/],
    [["list", "orders", "--limit", "0"], 2, /whole number/],
    [["status", "--app", "43"], 2, /no app "43" in .*it has 42/],
    [["status", "--url", "http://127.0.0.1:1"], 2, /Nothing listens at http:\/\/127\.0\.0\.1:1:/],
  ] as const) {
    const answer = await cli.run("webhooks", ...args);
    assert.equal(answer.code, code, `${args.join(" ")}: ${answer.err}`);
    assert.match(answer.err, text);
    assert.equal(answer.out, "");
  }
  const env = { PIPIT_APP_KEY: APP.key, PIPIT_APP_SECRET: "another" };
  const stranger = commandLine(t, undefined, { env });
  const url = pipit.url("");
  const refused = await stranger.run("webhooks", "status", "--app", APP.id, "--url", url);
  assert.equal(refused.code, 2);
  assert.match(
    refused.err,
    /refuses the signature: .*Does the server run with this key and secret/,
  );
  assert.doesNotMatch(refused.err, /another/);
});

test("what answers but is no Pipit is not believed", async (t) => {
  const server = createServer((_request, response) => response.end("<html>"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const answer = await cli.run("webhooks", "status", "--url", url);
  assert.equal(answer.code, 2);
  assert.match(answer.err, /status 200, no answer of Pipit/);
});

test("the commands find a server behind TLS and a path prefix by its configuration", async (t) => {
  const { certFile, keyFile } = createCertificate(t);
  const ssl = { cert_file: certFile, key_file: keyFile };
  const { cli } = await createRig(t, { ssl, path_prefix: "/rt" });
  const { code, out, err } = await cli.run("webhooks", "status");
  assert.equal(code, 0, err);
  assert.match(out, /^orders +healthy/m);
});

test("listen shows a delivery of a server, judges it, and answers what the receiver behind it answers", async (t) => {
  const receiver = await startReceiver(t, APP);
  receiver.answer = (response) => response.writeHead(503, { "Retry-After": "7" }).end();
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const port = String(await freePort());
  const listening = cli.start("webhooks", "listen", "--port", port, "--forward", receiver.url);
  const url = await listening.url();
  const webhooks = [{ id: "here", url, headers: { "X-Custom": "mine" } }];
  const pipit = await startPipit(t, { webhooks });
  await subscribe(await pipit.raw(), "room");
  await until("it was shown", () => /handed on: 503/.test(listening.output()));
  const [delivery] = receiver.deliveries;
  assert.ok(delivery?.isValid, "bytes and headers are those that were signed");
  assert.equal(delivery.headers["x-custom"], "mine");
  const shown = listening.output();
  assert.match(shown, /1 event, attempt 1, delivery [0-9a-f]{32}, answered 503$/m);
  assert.match(shown, /^ {2}channel_occupied {2}room {2}\d+-\d+-\d+-\d+$/m);
  assert.match(shown, /^ {2}signature ok$/m);

  const forged = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Pusher-Key": "\u00e9" },
    body: '{"time_ms":1,"events":[{"name":"\\u001b[2J\\nsignature ok","channel":"x"}]}',
  });
  assert.equal(forged.status, 503);
  assert.match(listening.output(), /REFUSED\. Wrong key/);
  assert.doesNotMatch(listening.output(), /\p{Cc}\[2J|^signature ok/mu);

  const taken = await cli.run("webhooks", "listen", "--port", port);
  assert.equal(taken.code, 2);
  assert.match(taken.err, /cannot be listened on \(EADDRINUSE\): choose another with --port/);
  listening.interrupt();
  assert.equal((await listening.ended).code, 0);
});

test("listen outlives a sender that goes away, and refuses a body that is too long", async (t) => {
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const listening = cli.start("webhooks", "listen", "--port", "0");
  const url = await listening.url();
  const { port } = new URL(url);
  const socket = connect(Number(port), "127.0.0.1");
  socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
  await once(socket, "connect");
  socket.destroy();
  const long = await fetch(url, { method: "POST", body: Buffer.alloc(16 * 1024 * 1024 + 1) }).catch(
    () => undefined,
  );
  assert.ok(long === undefined || long.status === 413);
  await until("the long one was told", () => /was refused/.test(listening.output()));
  assert.equal((await fetch(url)).status, 405);
  listening.interrupt();
  const { code, out } = await listening.ended;
  assert.deepEqual([code, out], [0, ""]);
});

test("listen says so when the receiver behind it is not there", async (t) => {
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const forward = ["--forward", "http://127.0.0.1:1/"];
  const listening = cli.start("webhooks", "listen", "--port", "0", "--json", ...forward);
  const url = await listening.url();
  const sent = await cli.run(
    "webhooks",
    "send",
    "--event",
    "cache_miss",
    "--channel",
    "cache-a",
    "--url",
    url,
  );
  assert.equal(sent.code, 1);
  assert.match(sent.out, /not taken: 502/);
  listening.interrupt();
  const { out } = await listening.ended;
  const line = JSON.parse(out);
  assert.deepEqual(
    [line.refusal, line.answered, line.forwarded],
    [null, 502, { reason: "ECONNREFUSED" }],
  );
  assert.match(line.events[0].id, /^0-\d+-\d+-0$/);
});

test("listen shows a delivery at once that its sender has given up, because the receiver behind does not answer", async (t) => {
  const receiver = await startReceiver(t, APP);
  receiver.answer = () => {};
  const cli = commandLine(t, { app_manager: { apps: [APP] } });
  const listening = cli.start("webhooks", "listen", "--port", "0", "--forward", receiver.url);
  const url = await listening.url();
  const webhooks = [{ id: "here", url, timeout_ms: 300 }];
  const sender = commandLine(t, { app_manager: { apps: [{ ...APP, webhooks }] } });
  const sent = await sender.run(
    "webhooks",
    "send",
    "--event",
    "cache_miss",
    "--channel",
    "cache-a",
  );
  assert.match(sent.out, /sent to .*\nnot taken: no answer in time/);
  await until("it is shown", () => listening.output().includes("the sender gave up first"));
  assert.match(
    listening.output(),
    /1 event, attempt 1, .*, not answered\n {2}cache_miss {2}cache-a/,
  );
  listening.interrupt();
  assert.equal((await listening.ended).code, 0);
});

test("send makes what the real library takes, with the endpoint's headers, for every type of event", async (t) => {
  const receiver = await startReceiver(t, APP);
  const webhooks = [{ id: "here", url: receiver.url, headers: { Authorization: "Bearer x" } }];
  const cli = commandLine(t, { app_manager: { apps: [{ ...APP, webhooks }] } });
  const send = (...args: string[]) => cli.run("webhooks", "send", ...args);
  for (const [type, channel, data, fields] of [
    ["channel_occupied", "room", undefined, {}],
    ["member_added", "presence-a", "ann", { user_id: "ann" }],
    ["subscription_count", "room", "7", { subscription_count: 7 }],
    ["client_event", "private-a", "hi", { event: "client-test", data: "hi", socket_id: "0.0" }],
  ] as const) {
    const detail = data === undefined ? [] : ["--data", data];
    const answer = await send("--event", type, "--channel", channel, ...detail);
    assert.deepEqual([answer.code, answer.err], [0, ""]);
    assert.match(answer.out, /^taken: 200, after \d+ ms$/m);
    assert.deepEqual(receiver.events().at(-1), { name: type, channel, ...fields });
  }
  await send("--event", "user_online", "--data", "bob");
  assert.equal(receiver.events().at(-1)?.user_id, "bob");
  assert.ok(receiver.deliveries.every(({ isValid }) => isValid));
  assert.equal(receiver.deliveries[0]?.headers.authorization, "Bearer x");

  for (const [args, text] of [
    [["--event", "occupied"], /--event is "occupied", one of/],
    [["--event", "cache_miss"], /cache_miss needs --channel/],
    [["--event", "cache_miss", "--channel", "a", "--data", "x"], /nothing but its channel/],
    [["--event", "cache_miss", "--channel", "a", "--endpoint", "x"], /no endpoint "x": .*\(here\)/],
    [["--event", "cache_miss", "--channel", "a", "--url", "ftp:x"], /--url is "ftp:x"/],
    [["--event", "subscription_count", "--channel", "a", "--data", "x"], /a number is needed/],
  ] as const) {
    const answer = await send(...args);
    assert.equal(answer.code, 2);
    assert.match(answer.err, text);
  }
  const refused = await send(
    "--event",
    "cache_miss",
    "--channel",
    "a",
    "--url",
    "http://169.254.169.254/",
  );
  assert.equal(refused.code, 1);
  assert.match(
    refused.out,
    /^cache_miss on a for http:\/\/169\.254\.169\.254, event id .*\nnot sent: the address is refused/,
  );
});

test("verify takes the secret from the configuration or a variable, and the body from standard input", async (t) => {
  const body = `{"time_ms":${Date.now()},"events":[]}`;
  const signature = createHmac("sha256", APP.secret).update(body).digest("hex");
  const config = { app_manager: { apps: [APP] } };
  const options = { input: body, env: { HOOK_SECRET: APP.secret, HOOK_KEY: APP.key } };
  const cli = commandLine(t, config, options);
  const verify = (...args: string[]) => cli.run("webhooks", "verify", ...args);
  for (const args of [
    [],
    ["--key", APP.key],
    ["--secret-env", "HOOK_SECRET"],
    ["--secret-env", "HOOK_SECRET", "--key-env", "HOOK_KEY", "--key", APP.key],
    ["--secret", APP.secret],
  ]) {
    const answer = await verify("--signature", signature, ...args);
    assert.deepEqual([answer.code, answer.err], [0, ""], args.join(" "));
  }
  const wrong = await verify("--signature", signature, "--secret", "x");
  assert.deepEqual([wrong.code, /^Refused\. Wrong signature/.test(wrong.out)], [1, true]);
  const otherKey = await verify(
    ...["--signature", signature, "--secret-env", "HOOK_SECRET", "--key-env", "HOOK_KEY"],
    ...["--key", "other"],
  );
  assert.match(otherKey.out, /^Refused\. Wrong key: X-Pusher-Key is "other"/);
  const unset = await verify("--signature", signature, "--secret-env", "NONE");
  assert.deepEqual([unset.code, /no variable "NONE"/.test(unset.err)], [2, true]);
  const empty = await commandLine(t, config).run("webhooks", "verify", "--signature", signature);
  assert.deepEqual([empty.code, /no body on standard input/.test(empty.err)], [2, true]);
});
