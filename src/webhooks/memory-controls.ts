/** Pauses of a node that is alone: its dispatcher is told at once, and they end with the process. */

import type { LaneKey } from "./outbox.ts";
import type { ControlListener, OutboxControls, StoredPause } from "./outbox-controls.ts";
import { isSamePause } from "./outbox-controls.ts";

export interface MemoryControls extends OutboxControls {
  /** The lane was changed for an operator. */
  tellTouched(lane: LaneKey): void;
}

export function createMemoryControls(): MemoryControls {
  const pauses = new Map<string, StoredPause>();
  let listener: ControlListener | undefined;
  return {
    listen(told) {
      listener = told;
    },
    pauses: () => new Map(pauses),
    pause({ appId, endpointId }, pause) {
      const name = `${appId}:${endpointId}`;
      if (pause.reason === "gone" && pauses.get(name)?.reason === "operator") return;
      pauses.set(name, pause);
      listener?.pausesChanged();
    },
    resume({ appId, endpointId }, expected) {
      const name = `${appId}:${endpointId}`;
      if (expected !== undefined && !isSamePause(pauses.get(name), expected)) return;
      pauses.delete(name);
      listener?.pausesChanged();
    },
    retry(of) {
      listener?.retry(of);
    },
    tellTouched(lane) {
      listener?.touched(lane);
    },
  };
}
