/** The same promises when every script is carried out twice, as after a lost answer or a moved slot. */
import type { Commands } from "../../src/redis/commands.ts";
import { deskContract } from "./desk-contract.ts";
import { redisOutboxOpener } from "./open-redis-outbox.ts";
import { outboxContract } from "./outbox-contract.ts";

function twice(inner: Commands): Commands {
  return {
    ...inner,
    async runScript(...call) {
      const [first] = await Promise.all([inner.runScript(...call), inner.runScript(...call)]);
      return first;
    },
  };
}

const open = redisOutboxOpener(twice);

outboxContract("redis, each script twice", open);
deskContract("redis, each script twice", open);
