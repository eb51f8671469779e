/**
 * The other side of bench/fan-out.ts: uWebSockets.js with nothing around it. A frame that contains
 * `pusher:subscribe` subscribes its socket, every other one goes to all sockets but its sender's, as it is.
 */
import { loadUws } from "../src/transport/uws.ts";

const TOPIC = "bench";

const { uws } = await loadUws();
const app = uws.App();
app.ws("/*", {
  compression: uws.DISABLED,
  maxPayloadLength: 1_048_576,
  maxBackpressure: 1_048_576,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  open(ws) {
    ws.send('{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.1\\"}"}');
  },
  message(ws, bytes) {
    const text = Buffer.from(bytes).toString();
    if (text.includes("pusher:subscribe")) {
      ws.subscribe(TOPIC);
      ws.send('{"event":"pusher_internal:subscription_succeeded","data":"{}"}');
    } else {
      ws.publish(TOPIC, text);
    }
  },
});
app.listen("127.0.0.1", Number(process.argv[2]), uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
  if (socket === false) process.exit(1);
});
process.once("SIGTERM", () => process.exit(0));
