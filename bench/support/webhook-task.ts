/** What a side of the webhook bench is asked to do, by the process that compares them. */

/** `undefined`: as fast as it goes. */
export type Rate = number | undefined;

/**
 * `idle`: nothing happens for so many seconds, and the cost is per second. `move`: events go from their decision to
 * the receiver. `writes`: what decides them is written, and no event comes of it.
 */
export type Task =
  | { readonly kind: "idle"; readonly seconds: number }
  | {
      readonly kind: "writes";
      readonly rate: Rate;
      readonly count: number;
      /** As many as there were in each while events moved; undefined: as they come. */
      readonly eventsPerWrite?: number;
    }
  | {
      readonly kind: "move";
      readonly rate: Rate;
      readonly count: number;
      /** Where they are POSTed; undefined: to a function that answers 200 at once. */
      readonly receiver: string | undefined;
    };
