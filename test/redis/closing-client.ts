/** Opens a client of a Redis Cluster, and closes it the moment that it has looked for moved slots. Ends by itself. */
import { Cluster } from "ioredis";
import { createClients } from "../../src/redis/clients.ts";

const [host = "", port = ""] = process.argv.slice(2);
const client = createClients({ cluster: [{ host, port: Number(port) }] }, Math.random).commands();
if (!(client instanceof Cluster)) throw new Error("It is not a client of a cluster.");
client.once("ready", () => {
  client.once("refresh", () => {
    console.log("closing");
    client.disconnect();
  });
});
await client.connect();
