/** The library's public surface: run Pipit inside another program. */
export type { Config, ConfigInput } from "./config/config.ts";
export { ConfigError } from "./config/config-error.ts";
export { createServer, type Server, type ServerOptions } from "./server.ts";
export type { ServerAddress, ServerDescription } from "./server-description.ts";
export { VERSION } from "./version.ts";
