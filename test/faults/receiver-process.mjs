/**
 * A receiver in a process of its own, so that it can be killed: node receiver-process.mjs PORT FILE.
 * Each delivery is on disk, one JSON line, before it is answered: a kill loses no record of what arrived.
 */
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";

const [port, file] = process.argv.slice(2);
const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const { headers } = request;
    appendFileSync(
      file,
      `${JSON.stringify({ headers, body: Buffer.concat(chunks).toString() })}\n`,
    );
    response.end("{}");
  });
});
server.listen(Number(port), "127.0.0.1", () => process.send?.("listening"));
