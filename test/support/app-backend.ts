/** The backend of an app: says who may join what, over HTTP, as Laravel and every other does; serves files too. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type PusherServer from "pusher";

export interface AppBackend {
  readonly url: string;
  /** Channels asked for, in order. */
  readonly asked: readonly string[];
}

export interface ServedFile {
  readonly type: string;
  readonly content: string;
}

/**
 * Who asks is named in `Authorization: Bearer <user id>`; whoever has no name gets 403, as does anybody who
 * asks for a channel with `forbidden` in its name. `files` are served by their path.
 */
export async function startAppBackend(
  t: TestContext,
  library: PusherServer,
  files: Readonly<Record<string, ServedFile>> = {},
): Promise<AppBackend> {
  const asked: string[] = [];

  function authorize(form: URLSearchParams, userId: string): unknown {
    const socketId = form.get("socket_id") ?? "";
    const channel = form.get("channel_name");
    const userInfo = { name: userId.toUpperCase() };
    if (channel === null) return library.authenticateUser(socketId, { id: userId });
    asked.push(channel);
    if (channel.includes("forbidden")) return undefined;
    const member = { user_id: userId, user_info: userInfo };
    return library.authorizeChannel(
      socketId,
      channel,
      channel.startsWith("presence-") ? member : undefined,
    );
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = files[request.url ?? ""];
    if (request.method === "GET") {
      response.writeHead(file === undefined ? 404 : 200, {
        "Content-Type": file?.type ?? "text/plain",
      });
      response.end(file?.content);
      return;
    }
    let body = "";
    for await (const chunk of request) body += chunk;
    const userId = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const auth = userId === undefined ? undefined : authorize(new URLSearchParams(body), userId);
    response.writeHead(auth === undefined ? 403 : 200, { "Content-Type": "application/json" });
    response.end(JSON.stringify(auth ?? {}));
  }

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked };
}
