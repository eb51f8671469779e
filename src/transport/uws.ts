/**
 * Loads uWebSockets.js: the only file that names its packages.
 *
 * The library is native and not on npm under its own name. Of two repacks the first that loads is taken:
 * one serves glibc ≥ 2.38, macOS, Windows and Node up to 25, the other glibc ≥ 2.27 and Node 20 and 22. An
 * official release installed as `uWebSockets.js` takes the place of the first.
 */
import { createRequire } from "node:module";
import type * as Repack from "uws-pack";

export type {
  HttpRequest,
  HttpResponse,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from "uws-pack";

/** The published types lack what listening exclusively needs; here they are as at run time. */
export interface TemplatedApp extends Omit<Repack.TemplatedApp, "listen" | "ws" | "any"> {
  any(
    pattern: string,
    handler: (res: Repack.HttpResponse, req: Repack.HttpRequest) => void,
  ): TemplatedApp;
  ws<UserData>(pattern: string, behavior: Repack.WebSocketBehavior<UserData>): TemplatedApp;
  listen(
    host: string,
    port: number,
    options: number,
    cb: (socket: Repack.us_listen_socket | false) => void,
  ): TemplatedApp;
}

/** What Pipit uses of the library. `ListenOptions` is a type there that does not exist at run time. */
export interface UwsModule {
  App(): TemplatedApp;
  SSLApp(options: Repack.AppOptions): TemplatedApp;
  us_listen_socket_close(socket: Repack.us_listen_socket): void;
  us_socket_local_port(socket: Repack.us_listen_socket): number;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  readonly DISABLED: number;
}

/** Which package was loaded, for `pipit version` and the start line. */
export interface LoadedUws {
  readonly uws: UwsModule;
  readonly loaded: { readonly name: string; readonly version: string };
}

/** Neither package loads on this machine. The text says what it has and what to install. */
export class UwsUnavailableError extends Error {
  override readonly name = "UwsUnavailableError";
  readonly code = "PIPIT_UWS_UNAVAILABLE";
}

/** Largest request head accepted, in bytes. uWebSockets.js reads the variable once, before it is loaded. */
const MAX_REQUEST_HEAD_BYTES = "16384";

/** Loads the library, or throws {@link UwsUnavailableError}. Later calls answer the same module. */
export async function loadUws(): Promise<LoadedUws> {
  process.env.UWS_HTTP_MAX_HEADERS_SIZE ??= MAX_REQUEST_HEAD_BYTES;
  const require = createRequire(import.meta.url);
  const problems: string[] = [];
  try {
    // require, since on Node 20 a failing import() of a native module ends the process.
    const uws = require("uWebSockets.js") as UwsModule;
    return { uws, loaded: packageOf(require, "uWebSockets.js") };
  } catch (error) {
    problems.push(`uWebSockets.js: ${lastLine(error)}`);
  }
  try {
    const uws = (await import("uws-pack")) as unknown as UwsModule;
    return { uws, loaded: packageOf(require, "uws-pack") };
  } catch (error) {
    problems.push(`uws-pack: ${lastLine(error)}`);
  }
  throw new UwsUnavailableError(
    `uWebSockets.js does not load on Node ${process.versions.node} (${process.platform} ${process.arch}, ${libc()}). ` +
      `Install the official release for it: npm install uWebSockets.js@uNetworking/uWebSockets.js#v20.57.0. ` +
      `Tried ${problems.join("; ")}`,
  );
}

function packageOf(
  require: NodeJS.Require,
  installedAs: string,
): { readonly name: string; readonly version: string } {
  // The package's exports hide its package.json, so it is found beside the resolved entry.
  for (const folder of require.resolve.paths(installedAs) ?? []) {
    try {
      const { name, version } = require(`${folder}/${installedAs}/package.json`) as {
        name: string;
        version: string;
      };
      return { name, version };
    } catch {
      // Not in this folder: the next one up.
    }
  }
  return { name: installedAs, version: "unknown" };
}

function libc(): string {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined
    ? "no glibc"
    : `glibc ${header.glibcVersionRuntime}`;
}

function lastLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
}
