/** What a driver gives: the outbox as its dispatcher sees it, and as operators do. */
import type { Outbox } from "./outbox.ts";
import type { OutboxControls } from "./outbox-controls.ts";
import type { OutboxDesk } from "./outbox-desk.ts";

export interface WholeOutbox extends Outbox {
  /** These need not own a partition. */
  readonly desk: OutboxDesk;
  readonly controls: OutboxControls;
}
