/** More messages in one turn of the event loop than the library keeps for a subscriber: each comes, once and in order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { authFor, subscribe } from "../support/commands.ts";
import { sendBytes, signedTarget } from "../support/http-request.ts";
import { startPipit } from "../support/pipit.ts";
import { maskedFrame } from "../support/raw-socket.ts";
import { until } from "../support/until.ts";

const REQUESTS = 20;
const EVENTS_A_REQUEST = 10;
const CHANNEL = "private-room";
const TEXT = 1;

test("batches that come in one packet", async (t) => {
  const pipit = await startPipit(t);
  const subscribers = [await pipit.raw(), await pipit.raw()];
  for (const socket of subscribers) await subscribe(socket, "room");
  const requests = Array.from({ length: REQUESTS }, (_, request) => {
    const batch = Array.from({ length: EVENTS_A_REQUEST }, (_, event) => ({
      name: "x",
      channel: "room",
      data: String(request * EVENTS_A_REQUEST + event),
    }));
    const body = JSON.stringify({ batch });
    const target = signedTarget({ path: "/batch_events", body });
    return `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
  const answersIn = (text: string) => text.split("HTTP/1.1 200").length - 1;
  const answer = await sendBytes(
    t,
    pipit.port,
    [requests.join("")],
    (text) => answersIn(text) === REQUESTS,
  );
  assert.equal(answersIn(answer), REQUESTS);
  const expected = Array.from({ length: REQUESTS * EVENTS_A_REQUEST }, (_, n) => String(n));
  for (const socket of subscribers) {
    const events = () => socket.frames.filter(({ event }) => event === "x");
    await until("all events have come", () => events().length >= expected.length);
    await socket.settled();
    assert.deepEqual(
      events().map(({ data }) => data),
      expected,
    );
  }
});

test("client events that come in one packet, with the sender's leaving and coming among them", async (t) => {
  const pipit = await startPipit(t, { max_client_events_per_second: 1_000 });
  const [sender, receiver] = [await pipit.raw(), await pipit.raw()];
  for (const socket of [sender, receiver]) await subscribe(socket, CHANNEL);
  const clientEvents = Array.from({ length: 100 }, (_, n) => ({
    event: "client-x",
    channel: CHANNEL,
    data: String(n),
  }));
  const auth = authFor(`${await sender.socketId()}:${CHANNEL}`);
  const frames = [
    ...clientEvents.slice(0, 50),
    { event: "pusher:unsubscribe", data: { channel: CHANNEL } },
    { event: "client-x", channel: CHANNEL, data: "refused" },
    { event: "pusher:subscribe", data: { channel: CHANNEL, auth } },
    ...clientEvents.slice(50),
  ].map((frame) => maskedFrame(TEXT, Buffer.from(JSON.stringify(frame))));
  sender.sendBytes(Buffer.concat(frames));
  const received = () => receiver.frames.filter(({ event }) => event === "client-x");
  await until("the last one has come", () => received().at(-1)?.data === "99");
  assert.deepEqual(
    received().map(({ data }) => data),
    clientEvents.map(({ data }) => data),
  );
  await sender.settled();
  assert.deepEqual(
    sender.frames.filter(({ event }) => event === "client-x"),
    [],
  );
});
