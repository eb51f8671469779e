/** What every driver promises about subscription counts (protocol.md §5): part of the contract. */
import assert from "node:assert/strict";
import {
  COUNT_EVERY_CHANGE_UP_TO,
  COUNT_WINDOW_MS,
} from "../../src/channel-state/channel-state.ts";
import {
  APP,
  announced,
  count,
  expectAnnounced,
  expectEvents,
  occupied,
  type Rule,
} from "./channel-state-under-test.ts";

const MANY = COUNT_EVERY_CHANGE_UP_TO;

export function subscriptionCountRules(rule: Rule): void {
  rule("up to 100 subscriptions every change of the count is told and recorded", async (opened) => {
    const { state } = opened;
    for (const subscriptions of [1, 2, 2, MANY, 1]) {
      state.setSubscriptions(APP, "a", subscriptions, true);
    }
    await expectAnnounced(
      opened,
      [1, 2, MANY, 1].map((subscriptions) => announced.subscriptionCount("a", subscriptions)),
    );
    await expectEvents(opened, "a", [
      occupied("a"),
      ...[1, 2, MANY, 1].map((subscriptions) => count("a", subscriptions)),
    ]);
  });

  rule(
    "above 100 the latest count is told at the end of a window, and only if it changed",
    async (opened) => {
      const { state } = opened;
      state.setSubscriptions(APP, "a", MANY, true);
      for (const more of [1, 2, 3]) state.setSubscriptions(APP, "a", MANY + more, true);
      await opened.advance(COUNT_WINDOW_MS);
      for (const more of [4, 3]) state.setSubscriptions(APP, "a", MANY + more, true);
      await opened.advance(COUNT_WINDOW_MS);
      state.setSubscriptions(APP, "a", MANY + 5, true);
      await opened.advance(COUNT_WINDOW_MS);
      await opened.advance(COUNT_WINDOW_MS);
      const told = [MANY, MANY + 3, MANY + 5];
      await expectAnnounced(
        opened,
        told.map((subscriptions) => announced.subscriptionCount("a", subscriptions)),
      );
      await expectEvents(opened, "a", [occupied("a"), ...told.map((each) => count("a", each))]);
    },
  );

  rule("a count that falls to 100 is told at once, and its window with it", async (opened) => {
    const { state } = opened;
    state.setSubscriptions(APP, "a", MANY + 9, true);
    state.setSubscriptions(APP, "a", MANY, true);
    await opened.advance(COUNT_WINDOW_MS);
    await expectEvents(opened, "a", [occupied("a"), count("a", MANY)]);
  });

  rule("no count is told where none is wanted", async (opened) => {
    opened.state.setSubscriptions(APP, "a", 5, false);
    opened.state.setSubscriptions(APP, "a", MANY + 5, false);
    await opened.advance(COUNT_WINDOW_MS);
    await expectEvents(opened, "a", [occupied("a")]);
    assert.deepEqual(opened.announced(), []);
  });
}
