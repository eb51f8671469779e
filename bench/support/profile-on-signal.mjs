// Preloaded into a server that is profiled: SIGUSR2 starts the profiler, a second one writes what it has seen.
import { writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";

const session = new Session();
session.connect();
let isRunning = false;

process.on("SIGUSR2", async () => {
  if (isRunning) {
    const { profile } = await session.post("Profiler.stop");
    writeFileSync(process.env.BENCH_PROFILE, JSON.stringify(profile));
    return;
  }
  isRunning = true;
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 200 });
  await session.post("Profiler.start");
});
