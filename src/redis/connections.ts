/** The connections to Redis that all of a node's drivers share. */
import type { RedisBus } from "./bus.ts";
import type { Commands } from "./commands.ts";
import type { Keys } from "./keys.ts";

export interface RedisConnections {
  readonly keys: Keys;
  readonly commands: Commands;
  readonly bus: RedisBus;
  /**
   * Done once Redis can be used for the first time, however long that takes. Rejects with
   * RedisDeploymentError when nodes of another schema or number of partitions use the same prefix, and with
   * RedisUnavailableError when closed meanwhile.
   */
  connect(): Promise<void>;
  /** Everything still under way rejects with RedisUnavailableError. */
  close(): Promise<void>;
  /** Whether Redis answers and is heard, as far as is known. */
  isUp(): boolean;
  onUp(listener: () => void): void;
  onDown(listener: () => void): void;
}
