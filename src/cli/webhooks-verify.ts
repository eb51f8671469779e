/** `pipit webhooks verify`: whether the body on standard input has the signature that came with it. */
import { CommandFailure } from "./command-failure.ts";
import { type AccessOptions, findApp, type KeyPair } from "./webhooks-access.ts";
import { judge } from "./webhooks-verdict.ts";
import type { World } from "./world.ts";

export interface VerifyOptions extends Pick<AccessOptions, "config" | "app"> {
  readonly signature: string;
  /** `X-Pusher-Key` as it came. */
  readonly key?: string;
  /** The variables that the right key and secret are in. */
  readonly keyEnv?: string;
  readonly secretEnv?: string;
  readonly secret?: string;
}

export const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** 0: genuine, 1: not. */
export async function verify(world: World, options: VerifyOptions): Promise<number> {
  const pairs = pairsOf(world, options);
  const body = await world.readInput(MAX_BODY_BYTES);
  if (body === undefined) {
    throw new CommandFailure(
      2,
      `The body on standard input has more than ${MAX_BODY_BYTES} bytes.`,
    );
  }
  if (body.length === 0) {
    throw new CommandFailure(
      2,
      "There is no body on standard input: pipit webhooks verify … < FILE",
    );
  }
  const { key, signature } = options;
  const presented = { key, signature: signature.trim(), contentType: undefined, body };
  const { refusal, notes } = judge(presented, pairs, world.now(), false);
  for (const note of notes) world.err(`note: ${note}\n`);
  if (refusal === undefined) {
    world.out(`The signature is right for these ${body.length} bytes.\n`);
    return 0;
  }
  world.out(`Refused. ${refusal}\n`);
  return 1;
}

function pairsOf(world: World, options: VerifyOptions): readonly KeyPair[] {
  const { secret, secretEnv, keyEnv } = options;
  if (secret === undefined && secretEnv === undefined) return findApp(world, options).pairs;
  const found = secret ?? fromEnv(world, secretEnv);
  const key = keyEnv === undefined ? (options.key ?? "") : fromEnv(world, keyEnv);
  return [{ key, secret: found }];
}

function fromEnv(world: World, name = ""): string {
  const value = world.env[name];
  if (value) return value;
  throw new CommandFailure(2, `The environment has no variable ${JSON.stringify(name)}.`);
}
