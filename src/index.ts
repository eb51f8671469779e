/** The library's public surface: run Pipit inside another program. */
export type { Config, ConfigInput } from "./config/config.ts";
export { ConfigError } from "./config/config-error.ts";
export {
  createServer,
  type Server,
  type ServerAddress,
  type ServerDescription,
  type ServerOptions,
} from "./server.ts";
export { VERSION } from "./version.ts";
