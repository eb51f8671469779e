/** How webhooks are delivered, whoever receives them: `webhooks` in the file. */
import { isIP } from "node:net";
import { z } from "zod";
import { isCidr } from "./address-range.ts";
import { flag, wholeNumber, wholeNumberByDeployment } from "./fields.ts";

const TARGET_IN_WORDS = "an address range such as 10.1.0.0/16, or a host name";

export const retrySchema = z.strictObject({
  initial_ms: wholeNumber("The first wait after a failed attempt, at most.", 10, 600_000, 1_000),
  max_ms: wholeNumber("The longest wait between two attempts.", 10, 3_600_000, 60_000),
  budget_s: wholeNumberByDeployment(
    "How long an endpoint may fail before its events go to the dead letters, in seconds.",
    1,
    604_800,
    300,
    86_400,
  ),
});

export const deliverySchema = z.strictObject({
  timeout_ms: wholeNumber(
    "How long one attempt may take, in milliseconds, connect included.",
    100,
    60_000,
    4_000,
  ),
  batching: z
    .strictObject({
      enabled: flag("Several events may share a POST.", true),
      window_ms: wholeNumber("How long a batch waits for more events.", 0, 10_000, 50, [
        "duration",
      ]),
      max_events: wholeNumber("The most events in one POST.", 1, 100, 50, ["size"]),
    })
    .prefault({}),
  retry: retrySchema.prefault({}),
  max_queued_events: wholeNumberByDeployment(
    "Events that may wait for an endpoint, with redis in each partition; the oldest go to the dead letters.",
    1,
    10_000_000,
    100_000,
    1_000_000,
  ),
  max_dead_letters: wholeNumberByDeployment(
    "Dead letters kept per endpoint; the oldest are dropped, counted and logged.",
    0,
    1_000_000,
    10_000,
    100_000,
  ),
  max_dead_letter_age_s: wholeNumber(
    "How long dead letters are kept, in seconds.",
    60,
    31_536_000,
    604_800,
  ),
  concurrency: wholeNumber("POSTs under way per endpoint.", 1, 100, 4),
  https_only: flag("Refuse endpoints whose url is not https.", false),
  private_targets: z
    .enum(["allow", "refuse"])
    .meta({
      description:
        "Whether webhooks may go to loopback, private and other addresses that the internet does not route.",
    })
    .default("allow"),
  allowed_targets: z
    .array(
      z
        .string()
        .refine(isTarget)
        .overwrite((target) => target.toLowerCase())
        .meta({ allowed: TARGET_IN_WORDS }),
    )
    .max(1_000)
    .meta({
      description:
        "Private address ranges, and host names, that webhooks may go to although private_targets is refuse.",
      allowed: `a list of ${TARGET_IN_WORDS}`,
    })
    .default([]),
});

function isTarget(target: string): boolean {
  if (/[:/]/.test(target) || isIP(target) !== 0) return isCidr(target);
  // All digits and dots: a mistaken address, no name.
  return /^[a-z0-9_]([a-z0-9_.-]{0,252}[a-z0-9_])?$/i.test(target) && /[a-z_]/i.test(target);
}
