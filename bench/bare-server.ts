/**
 * The other side of `npm run bench`: uWebSockets.js with nothing around it. It sends what Pipit sends, byte for
 * byte, and checks nothing: no signature, no limit, no name; it keeps no counters, no timers and no state that
 * sending does not need. What a server costs beyond this is what it does itself.
 *
 *   node --import tsx bench/bare-server.ts <port> [drop every n-th publish [publish every n-th twice]]
 */
import { loadUws, type WebSocket } from "../src/transport/uws.ts";

/** What a socket carries: the channels with members that it is in, and who it is there. */
interface Held {
  memberships: Map<string, string> | undefined;
}

interface Frame {
  readonly event: string;
  readonly channel: string;
  readonly data: { readonly channel: string; readonly channel_data?: string };
}

interface Publication {
  readonly name: string;
  readonly channel: string;
  readonly data: string;
}

const port = Number(process.argv[2]);
/** Loses messages on purpose, or sends them twice: for the tests that such a run fails. 0: none. */
const dropEvery = Number(process.argv[3] ?? 0);
const twiceEvery = Number(process.argv[4] ?? 0);
const { uws } = await loadUws();
const app = uws.App();
/** User id to user info, by presence channel. */
const members = new Map<string, Map<string, unknown>>();
let sockets = 0;
let published = 0;

/** How often the next message is sent. */
function timesSent(): number {
  published += 1;
  if (dropEvery > 0 && published % dropEvery === 0) return 0;
  return twiceEvery > 0 && published % twiceEvery === 0 ? 2 : 1;
}

function eventFrame(event: string, channel: string, data: string): string {
  return `{"event":"${event}","channel":"${channel}","data":${data}}`;
}

function subscribe(ws: WebSocket<Held>, { channel, channel_data }: Frame["data"]): void {
  let data = "{}";
  if (channel_data !== undefined) {
    const { user_id, user_info } = JSON.parse(channel_data);
    let present = members.get(channel);
    if (present === undefined) {
      present = new Map();
      members.set(channel, present);
    }
    present.set(user_id, user_info);
    const held = ws.getUserData();
    held.memberships ??= new Map();
    held.memberships.set(channel, user_id);
    const added = JSON.stringify({ user_id, user_info });
    app.publish(
      channel,
      eventFrame("pusher_internal:member_added", channel, JSON.stringify(added)),
    );
    const ids = [...present.keys()];
    const presence = { ids, hash: Object.fromEntries(present), count: ids.length };
    data = JSON.stringify({ presence });
  }
  ws.subscribe(channel);
  ws.send(eventFrame("pusher_internal:subscription_succeeded", channel, JSON.stringify(data)));
}

function unsubscribe(ws: WebSocket<Held>, channel: string, isClosed: boolean): void {
  if (!isClosed) ws.unsubscribe(channel);
  const { memberships } = ws.getUserData();
  const userId = memberships?.get(channel);
  if (userId === undefined) return;
  memberships?.delete(channel);
  members.get(channel)?.delete(userId);
  const removed = JSON.stringify(JSON.stringify({ user_id: userId }));
  app.publish(channel, eventFrame("pusher_internal:member_removed", channel, removed));
}

function publish({ name, channel, data }: Publication): void {
  for (let times = timesSent(); times > 0; times -= 1) {
    app.publish(channel, eventFrame(name, channel, JSON.stringify(data)));
  }
}

app.ws<Held>("/*", {
  compression: uws.DISABLED,
  maxPayloadLength: 1_048_576,
  maxBackpressure: 1_048_576,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  upgrade(res, req, context) {
    res.upgrade<Held>(
      { memberships: undefined },
      req.getHeader("sec-websocket-key"),
      req.getHeader("sec-websocket-protocol"),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  },
  open(ws) {
    sockets += 1;
    ws.send(
      `{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1234567890.${1_000_000_000 + sockets}\\",\\"activity_timeout\\":120}"}`,
    );
  },
  message(ws, bytes) {
    const text = Buffer.from(bytes).toString();
    const frame = JSON.parse(text) as Frame;
    if (frame.event === "pusher:subscribe") subscribe(ws, frame.data);
    else if (frame.event === "pusher:unsubscribe") unsubscribe(ws, frame.data.channel, false);
    else for (let times = timesSent(); times > 0; times -= 1) ws.publish(frame.channel, text);
  },
  close(ws) {
    for (const channel of ws.getUserData().memberships?.keys() ?? [])
      unsubscribe(ws, channel, true);
  },
});

app.any("/*", (res, req) => {
  const isBatch = req.getUrl().endsWith("/batch_events");
  res.onAborted(() => {});
  // One chunk: the bench sends no body that is larger than a packet.
  res.onData((chunk) => {
    const body = JSON.parse(Buffer.from(chunk).toString());
    if (isBatch) for (const event of body.batch) publish(event);
    else publish(body);
    res.writeStatus("200 OK");
    res.writeHeader("Content-Type", "application/json");
    res.end("{}");
  });
});

app.listen("127.0.0.1", port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
  if (socket === false) process.exit(1);
});
process.once("SIGTERM", () => process.exit(0));
