/**
 * A receiver in a process of its own, to be killed: writes one line of JSON per accepted delivery to the file
 * argv[3], on disk before the answer, and its port to its parent. argv[2]: the port, 0 for any.
 */
import { appendFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const [port = "0", path = ""] = process.argv.slice(2);
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    appendFileSync(path, `${JSON.stringify({ headers: request.headers, body })}\n`);
    response.writeHead(200).end();
  });
});
server.listen(Number(port), "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port);
});
