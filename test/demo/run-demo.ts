/** Sets the stage, plays the scenes and clears the stage, whatever happened in between. */

import { startServerProcess } from "../support/server-process.ts";
import { openAuthEndpoint } from "./auth-endpoint.ts";
import { createBackend, DEMO_APP, demoConfig } from "./demo-app.ts";
import { connectDemoClient } from "./demo-client.ts";
import { type Cast, missingKinds, SCENES } from "./scenes.ts";
import { createTranscript, type Transcript } from "./transcript.ts";
import { openWebhookReceiver } from "./webhook-receiver.ts";

export interface DemoOptions {
  write(text: string): void;
  /** What the receiver verifies webhooks with. @default the app's */
  readonly receiverSecret?: string | undefined;
  /** Waited for before everything is stopped. */
  readonly beforeStop?: (() => Promise<void>) | undefined;
}

/** Clears one thing away. Called in the reverse order of the setting up. */
type Closer = () => void | Promise<void>;

/** Resolves when all has come; rejects with an error whose message names what did not. */
export async function runDemo({ write, receiverSecret, beforeStop }: DemoOptions): Promise<void> {
  const transcript = createTranscript(write, Date.now);
  const closers: Closer[] = [];
  let exitCode: number | undefined;
  try {
    const cast = await setStage(transcript, receiverSecret, closers, (code) => {
      exitCode = code;
    });
    for (const [title, play] of SCENES) {
      transcript.scene(title);
      await play(cast);
    }
    const missing = missingKinds(cast.receiver);
    if (missing.length > 0) throw new Error(`No webhook came of the kinds ${missing.join(", ")}.`);
    if (beforeStop !== undefined) {
      transcript.scene("The server stays until Ctrl-C");
      await beforeStop();
    }
  } finally {
    transcript.scene("The end");
    for (const close of closers.reverse()) await close();
  }
  if (exitCode !== 0) throw new Error(`The server ended with exit code ${exitCode}, not with 0.`);
}

async function setStage(
  transcript: Transcript,
  receiverSecret: string | undefined,
  closers: Closer[],
  onServerEnd: (exitCode: number | undefined) => void,
): Promise<Cast> {
  // The server has to know the receiver, and the backend the port that the server will get.
  let port = 0;
  transcript.scene("The server and the app's backend");
  const receiver = await openWebhookReceiver(
    () => createBackend(port, receiverSecret),
    (line) => transcript.line("webhook", line),
  );
  closers.push(receiver.close);
  const server = await startServerProcess(demoConfig(receiver.url), (line) =>
    transcript.line("server", line),
  );
  closers.push(async () => {
    const exitCode = await server.stop();
    transcript.line("server", `ended with exit code ${exitCode}`);
    onServerEnd(exitCode);
  });
  port = server.port;
  const publisher = createBackend(port);
  const auth = await openAuthEndpoint(publisher);
  closers.push(auth.close);
  transcript.line("backend", `is app ${DEMO_APP.id}, key ${DEMO_APP.key}, on port ${port}`);
  transcript.line("backend", `authorises at ${auth.channelUrl}`);
  transcript.line("backend", `takes webhooks at ${receiver.url}`);

  transcript.scene("Two clients connect");
  const ada = await connectDemoClient("ada", port, auth, transcript);
  closers.push(ada.disconnect);
  const bob = await connectDemoClient("bob", port, auth, transcript);
  closers.push(bob.disconnect);
  return { ada, bob, publisher, receiver, transcript };
}
