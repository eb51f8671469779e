/** What an app's backend has for its clients: who may join which channel, and who is who. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type Pusher from "pusher";

export interface AuthEndpoint {
  readonly channelUrl: string;
  readonly userUrl: string;
  close(): void;
}

/** Names the client; a real backend would look at a session instead. */
export const USER_HEADER = "X-Demo-User";

export async function openAuthEndpoint(backend: Pusher): Promise<AuthEndpoint> {
  const server = createServer((request, response) => {
    answer(request, response, backend).catch((error: unknown) => {
      response.writeHead(403).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    channelUrl: `http://127.0.0.1:${port}/pusher/auth`,
    userUrl: `http://127.0.0.1:${port}/pusher/user-auth`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  backend: Pusher,
): Promise<void> {
  const form = new URLSearchParams(await text(request));
  const socketId = form.get("socket_id") ?? "";
  const userId = String(request.headers[USER_HEADER.toLowerCase()]);
  const reply =
    request.url === "/pusher/user-auth"
      ? backend.authenticateUser(socketId, { id: userId })
      : authorizeChannel(backend, socketId, form.get("channel_name") ?? "", userId);
  response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(reply));
}

function authorizeChannel(backend: Pusher, socketId: string, channel: string, userId: string) {
  if (!channel.startsWith("presence-")) return backend.authorizeChannel(socketId, channel);
  const name = userId[0]?.toUpperCase() + userId.slice(1);
  return backend.authorizeChannel(socketId, channel, { user_id: userId, user_info: { name } });
}
