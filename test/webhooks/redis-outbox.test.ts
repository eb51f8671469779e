/** The Redis driver keeps the promises of the contract on a real Redis. */
import { deskContract } from "./desk-contract.ts";
import { redisOutboxOpener } from "./open-redis-outbox.ts";
import { outboxContract } from "./outbox-contract.ts";

const open = redisOutboxOpener();

outboxContract("redis", open);
deskContract("redis", open);
