/** Sets the stage for two nodes, plays the scenes and clears the stage, whatever happened in between. */
import { startBalancer } from "../support/balancer.ts";
import { startRedis } from "../support/redis-server.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";
import { openAuthEndpoint } from "./auth-endpoint.ts";
import { CLUSTER_SCENES, type ClusterCast } from "./cluster-scenes.ts";
import { createBackend, DEMO_APP, demoConfig } from "./demo-app.ts";
import { connectDemoClient } from "./demo-client.ts";
import { createTranscript, type Transcript } from "./transcript.ts";
import { openWebhookReceiver } from "./webhook-receiver.ts";

/** Clears one thing away. Called in the reverse order of the setting up. */
type Closer = () => unknown;

/** Resolves when all has come; rejects with an error whose message names what did not. */
export async function runClusterDemo(write: (text: string) => void): Promise<void> {
  const transcript = createTranscript(write, Date.now);
  const closers: Closer[] = [];
  const exitCodes: (number | undefined)[] = [];
  // What would be left behind by a failure or Ctrl-C in the middle.
  const endWithUs = () => {
    for (const close of killers) close();
  };
  const killers: Closer[] = [];
  process.once("exit", endWithUs);
  try {
    const cast = await setStage(transcript, closers, killers, (code) => exitCodes.push(code));
    for (const [title, play] of CLUSTER_SCENES) {
      transcript.scene(title);
      await play(cast);
    }
  } finally {
    transcript.scene("The end");
    for (const close of closers.reverse()) await close();
    process.off("exit", endWithUs);
  }
  if (exitCodes.some((code) => code !== 0)) {
    throw new Error(`Nodes ended with exit codes ${exitCodes.join(" and ")}, not with 0.`);
  }
}

async function setStage(
  transcript: Transcript,
  closers: Closer[],
  killers: Closer[],
  onNodeEnd: (exitCode: number | undefined) => void,
): Promise<ClusterCast> {
  transcript.scene("A Redis, two nodes, and the app's backend");
  const redis = await startRedis({ after: (close) => void closers.push(close as Closer) });
  killers.push(() => process.kill(redis.pid, "SIGKILL"));
  transcript.line("redis", `listens at ${redis.url}`);
  const receiver = await openWebhookReceiver(
    () => createBackend(0),
    (line) => transcript.line("webhook", line),
  );
  closers.push(receiver.close);

  let isKilled = false;
  async function startNode(name: string): Promise<ServerProcess> {
    const node = await startServerProcess(demoConfig(receiver.url, redis.url), (line) =>
      transcript.line(name, line),
    );
    closers.push(async () => {
      if (name === "node A" && isKilled) return;
      const exitCode = await node.stop();
      transcript.line(name, `ended with exit code ${exitCode}`);
      onNodeEnd(exitCode);
    });
    return node;
  }
  const a = await startNode("node A");
  const b = await startNode("node B");
  const balancer = await startBalancer({ after: (close) => void closers.push(close as Closer) }, [
    a.port,
  ]);
  const [onA, onB] = [createBackend(a.port), createBackend(b.port)];
  const auth = await openAuthEndpoint(onA);
  closers.push(auth.close);
  transcript.line("backend", `is app ${DEMO_APP.id}, and publishes to either node`);
  transcript.line("balancer", `on port ${balancer.port} sends clients to node A while it is there`);

  transcript.scene("Ada and Eve connect to node A, Bob to node B");
  const ada = await connectDemoClient("ada", balancer.port, auth, transcript);
  closers.push(ada.disconnect);
  const eve = await connectDemoClient("eve", a.port, auth, transcript);
  const bob = await connectDemoClient("bob", b.port, auth, transcript);
  closers.push(bob.disconnect);

  return {
    ada,
    bob,
    eve,
    onA,
    onB,
    receiver,
    transcript,
    killNodeA() {
      transcript.line("node A", "is killed");
      isKilled = true;
      balancer.putIn(b.port);
      balancer.takeOut(a.port);
      a.kill();
      // Her machine goes down with it: she does not come back.
      eve.disconnect();
    },
  };
}
