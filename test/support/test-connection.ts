/** A connection as a record only, for rooms that do not look behind it. */
import type { App } from "../../src/apps/app.ts";
import type { Connection } from "../../src/connections/connection.ts";
import { createFakeSockets, type FakeSocket } from "./fake-sockets.ts";
import { createTestApp } from "./test-app.ts";

export interface TestConnection extends Connection {
  readonly socket: FakeSocket;
}

export function createTestConnection(
  changes: Partial<TestConnection> & { readonly app?: App } = {},
): TestConnection {
  return {
    socketId: "1234.1234",
    app: createTestApp(),
    socket: createFakeSockets().open(),
    subscriptions: undefined,
    user: undefined,
    isAuthorized: false,
    isOpen: true,
    address: undefined,
    commandBucket: undefined,
    clientEventBucket: undefined,
    refusedCommands: 0,
    ...changes,
  };
}
