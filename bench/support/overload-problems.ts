/** What a server may not do under too much load. */
import type { Overload, Step } from "./overload-load.ts";

const MAX_HEALTH_MS = 1_000;
const MAX_RECOVERY_S = 5;
const MAX_MB = 512;
/** Of what one core carries, published whatever is offered above it. */
const LEAST_PUBLISHED = 0.5;
/** Past this part of its core the load is no longer what it says. */
const MAX_LOAD_BUSY = 0.95;
/**
 * A server that waits longer for its core, as a part of the time, is not the one that is overloaded. Its own threads, of
 * which the collector's work while it does, wait for each other up to a tenth of it.
 */
const MAX_WAITED = 0.2;

/** One sentence each, or none. */
export function overloadProblems(
  where: string,
  { rising, falling, recoveryS, slowConsumers, slowConsumersClosed }: Overload,
  capacityPerSecond: number,
): readonly string[] {
  const problems = [...rising, ...falling].flatMap((step) => stepProblems(step, capacityPerSecond));
  const most = rising.at(-1);
  if (most === undefined || most.refusedPerSecond === 0) problems.push("nothing was refused");
  if (recoveryS > MAX_RECOVERY_S) problems.push(`it took ${recoveryS} s to recover`);
  if (slowConsumersClosed < slowConsumers) {
    problems.push(`${slowConsumersClosed} of ${slowConsumers} slow consumers were closed`);
  }
  return problems.map((problem) => `${where}, ${problem}`);
}

function stepProblems(step: Step, capacityPerSecond: number): string[] {
  const { share, healthMaxMs, maxRssMb, failed, publishedPerSecond } = step;
  const problems: string[] = [];
  if (healthMaxMs > MAX_HEALTH_MS) problems.push(`health took ${healthMaxMs.toFixed(0)} ms`);
  if (maxRssMb > MAX_MB) problems.push(`${maxRssMb.toFixed(0)} MB of memory`);
  if (failed > 0) problems.push(`${failed} requests were neither published nor refused`);
  if (share >= 1 && publishedPerSecond < capacityPerSecond * LEAST_PUBLISHED) {
    problems.push(`only ${publishedPerSecond.toFixed(0)} requests a second were published`);
  }
  const { loadBusy, serverWaited } = step;
  if (loadBusy > MAX_LOAD_BUSY) {
    problems.push(`the load was busy itself, ${(loadBusy * 100).toFixed(0)} % of its core`);
  }
  if (serverWaited > MAX_WAITED) {
    const part = `${(serverWaited * 100).toFixed(0)} %`;
    problems.push(`others had the server's core ${part} of the time: a quiet machine is needed`);
  }
  return problems.map((problem) => `at ${share}: ${problem}`);
}
