import { SILENT_LOG } from "../../src/protocol/log.ts";
import { createEventLog } from "../../src/webhooks/event-log.ts";
import { createMemoryOutbox } from "../../src/webhooks/memory-outbox.ts";
import { deskContract } from "./desk-contract.ts";
import { type OpenOutbox, outboxContract } from "./outbox-contract.ts";

const open: OpenOutbox = async (_t, bounds) => {
  let nowMs = 1_800_000_000_000;
  const now = () => nowMs;
  const events = createEventLog({ partitions: 1, now, epoch: nowMs, log: SILENT_LOG });
  return {
    outbox: createMemoryOutbox({ events, sweep: () => undefined, now, bounds }),
    append: events.append,
    advance(ms) {
      nowMs += ms;
    },
  };
};

outboxContract("memory", open);
deskContract("memory", open);
