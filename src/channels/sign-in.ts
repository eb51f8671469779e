/** Signing in, and watching other users. Source: protocol.md §4. */
import type { Adapter } from "../adapters/adapter.ts";
import type { App } from "../apps/app.ts";
import type { ChannelState } from "../channel-state/channel-state.ts";
import type { Connection, SignedInUser } from "../connections/connection.ts";
import type { ConnectionRegistry } from "../connections/registry.ts";
import type { Watchers } from "../connections/watchers.ts";
import { CLOSE_CODES, type CloseCode } from "../protocol/close-code.ts";
import type { SignInCommand } from "../protocol/command.ts";
import { signInSuccessFrame, watchlistFrame } from "../protocol/frame.ts";
import { signInContent } from "../protocol/signature.ts";
import { userTopic } from "../protocol/topic.ts";
import { MAX_WATCHLIST_LENGTH, readUserData } from "../protocol/user-data.ts";
import { USER_EVENT_TYPES } from "../protocol/webhook-event.ts";
import { authProblem } from "./auth.ts";
import type { Refusals } from "./refusals.ts";

export interface SignInParts {
  readonly adapter: Adapter;
  readonly state: ChannelState;
  readonly connections: ConnectionRegistry;
  readonly watchers: Watchers;
  readonly refusals: Refusals;
}

export interface SigningIn {
  signIn(connection: Connection, command: SignInCommand): void;
  /** For a connection that has closed. */
  signOut(connection: Connection): void;
}

export function createSigningIn(parts: SignInParts): SigningIn {
  const { adapter, state, connections, watchers, refusals } = parts;

  function signIn(connection: Connection, { auth, userData }: SignInCommand): void {
    const { app } = connection;
    const { features } = app.settings;
    if (!features.userAuthentication) {
      const message = "Signing in is not enabled for this app (enable_user_authentication).";
      return refuse(connection, null, message);
    }
    const problem = authProblem(app, auth, signInContent(connection.socketId, userData));
    if (problem !== undefined) return refuse(connection, CLOSE_CODES.unauthorized, problem);
    const read = readUserData(userData);
    if (typeof read === "string") return refuse(connection, CLOSE_CODES.unauthorized, read);
    if (connection.user !== undefined && connection.user.id !== read.id) {
      const message = "This connection is signed in as another user: open a new one.";
      return refuse(connection, CLOSE_CODES.unauthorized, message);
    }
    const { id, userInfoJson } = read;
    const user: SignedInUser = connection.user ?? { id, userInfoJson, watchlist: [] };
    user.userInfoJson = userInfoJson;
    if (connection.user === undefined) {
      connection.user = user;
      tellConnections(app, id, connections.signIn(connection));
    }
    const isCut = features.watchlistEvents && read.watchlistLength > MAX_WATCHLIST_LENGTH;
    const finish = (): void => {
      if (!connection.isOpen) return;
      // Another sign-in that was under way could not be heard, and has taken this one back with it.
      if (connection.user !== user) return refuseUnheard(connection);
      connection.isAuthorized = true;
      connection.socket.subscribe(userTopic(app.id, id));
      connection.socket.send(signInSuccessFrame(userData));
      if (isCut) {
        const message = `The watchlist has ${read.watchlistLength} user ids: the first ${MAX_WATCHLIST_LENGTH} are watched.`;
        refusals.refuse(connection, "watchlist_too_long", CLOSE_CODES.watchlistTooLong, message);
      }
      if (features.watchlistEvents) watch(connection, user, read.watchlist);
    };
    const heard = adapter.subscribe(userTopic(app.id, id));
    if (heard === undefined) finish();
    else {
      heard.then(finish, () => {
        if (!connection.isOpen) return;
        if (connection.user === user) {
          signOut(connection);
          connection.user = undefined;
        }
        refuseUnheard(connection);
      });
    }
  }

  function tellConnections(app: App, userId: string, count: number): void {
    state.setUserConnections(app.id, userId, count, hasReceiver(app));
  }

  /** Nothing of the sign-in is left, so the client may try again, as anybody. */
  function refuseUnheard(connection: Connection): void {
    const message = "The server cannot reach its cluster just now: sign in again in a few seconds.";
    refusals.refuse(connection, "unavailable", null, message);
  }

  function refuse(connection: Connection, code: CloseCode | null, message: string): void {
    refusals.refuse(connection, "sign_in", code, message);
    // Where connections must be authorised, a failed sign-in is the end (§4.1).
    if (code !== null && connection.app.settings.features.authorizedConnections) {
      connection.socket.close(CLOSE_CODES.unauthorized, message);
    }
  }

  function watch(connection: Connection, user: SignedInUser, userIds: readonly string[]): void {
    const appId = connection.app.id;
    unwatch(connection, user);
    if (userIds.length === 0) return;
    user.watchlist = userIds;
    watchers.add(connection, userIds);
    const tell = (online: ReadonlySet<string>): void => {
      const frame = watchlistFrame(
        userIds.filter((id) => online.has(id)),
        userIds.filter((id) => !online.has(id)),
      );
      if (frame !== undefined) connection.socket.send(frame);
    };
    const online = state.watch(appId, userIds);
    if (!(online instanceof Promise)) return tell(online);
    watchers.hold(connection);
    online.then(
      (known) => {
        // The connection has closed, or watches others by now.
        if (user.watchlist !== userIds) return;
        tell(known);
        watchers.release(connection);
      },
      () => {
        if (user.watchlist !== userIds) return;
        refusals.refuse(connection, "unavailable", null, "The watchlist cannot be read just now.");
        watchers.release(connection);
      },
    );
  }

  function unwatch(connection: Connection, user: SignedInUser): void {
    if (user.watchlist.length === 0) return;
    watchers.remove(connection, user.watchlist);
    watchers.release(connection);
    state.unwatch(connection.app.id, user.watchlist);
    user.watchlist = [];
  }

  function signOut(connection: Connection): void {
    const { app, user } = connection;
    if (user === undefined) return;
    unwatch(connection, user);
    const left = connections.signOut(connection);
    if (left === 0) adapter.unsubscribe(userTopic(app.id, user.id));
    tellConnections(app, user.id, left);
  }

  return { signIn, signOut };
}

/** Whether any webhook of the app wants to know who is online: without one there is nothing to keep for it. */
function hasReceiver(app: App): boolean {
  for (const { enabled, eventTypes } of app.settings.webhooks) {
    if (enabled && USER_EVENT_TYPES.some((type) => eventTypes.has(type))) return true;
  }
  return false;
}
