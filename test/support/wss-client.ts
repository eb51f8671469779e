/**
 * pusher-js over wss in a process of its own, since Node reads the authorities that it trusts
 * (NODE_EXTRA_CA_CERTS) once, at its start.
 *
 *   wss-client.ts <port> <channel>     prints "subscribed", then one line of JSON per event
 */
import { Pusher } from "./client.ts";

const [port = "", channel = ""] = process.argv.slice(2);
const pusher = new Pusher("test-key", {
  cluster: "local",
  wsHost: "localhost",
  wssPort: Number(port),
  forceTLS: true,
  enabledTransports: ["ws", "wss"],
});
pusher.connection.bind("error", (error: unknown) => console.log(JSON.stringify({ error })));
pusher.subscribe(channel).bind_global((event: string, data: unknown) => {
  console.log(
    event === "pusher:subscription_succeeded" ? "subscribed" : JSON.stringify({ event, data }),
  );
});
