import assert from "node:assert/strict";
import { test } from "node:test";
import { runClusterDemo } from "./cluster-stage.ts";

test("npm run demo:cluster: two nodes are one server, also when one of them is killed", async () => {
  let transcript = "";
  const write = (text: string) => {
    transcript += text;
  };
  await runClusterDemo(write).catch((error: unknown) => assert.fail(`${error}\n${transcript}`));
  assert.match(transcript, /webhooks +presence-room: .*member_removed eve/);
  assert.match(transcript, /node B +ended with exit code 0/);
});
