/** A headless Chromium with a profile of its own, and pages that run pusher-js's web build. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type BrowserContext, chromium } from "playwright-core";
import { CHROMIUM, programPath } from "../tools/programs.ts";
import { startAppBackend } from "./app-backend.ts";
import type { Pipit } from "./pipit.ts";
import { until } from "./until.ts";

export interface BrowserPage {
  /** Where the page comes from. */
  readonly origin: string;
  /** Everything seen so far: see `test/browser/page.js`. */
  seen(): Promise<readonly string[]>;
  /** Waits until something has been seen that begins so, and gives the first. */
  sees(beginning: string): Promise<string>;
  /** Calls a function of `page.js` with arguments that are JSON. */
  call(name: string, ...args: readonly unknown[]): Promise<unknown>;
}

export interface PageOptions {
  /** Empty: nobody. */
  readonly userId?: string;
  readonly build?: "pusher.min.js" | "pusher-with-encryption.min.js";
}

const ARGUMENTS = ["--disable-gpu", "--disable-background-networking", "--no-first-run"];

/** Closed, and its profile removed, when the test ends. */
export async function startBrowser(t: TestContext): Promise<BrowserContext> {
  const profile = mkdtempSync(join(tmpdir(), "pipit-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: programPath(CHROMIUM),
    headless: true,
    chromiumSandbox: false,
    args: ARGUMENTS,
  });
  t.after(async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  });
  return context;
}

/** A page whose pusher-js has begun to connect. Its backend authorises channels for `userId`. */
export async function openPage(
  t: TestContext,
  browser: BrowserContext,
  pipit: Pipit,
  { userId = "", build = "pusher.min.js" }: PageOptions = {},
): Promise<BrowserPage> {
  const script = (path: string): { type: string; content: string } => ({
    type: "text/javascript",
    content: readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8"),
  });
  const { url } = await startAppBackend(t, pipit.pusher, {
    "/": {
      type: "text/html",
      content: `<!doctype html><script src="/pusher.js"></script><script src="/page.js"></script>`,
    },
    "/pusher.js": script(`../../node_modules/pusher-js/dist/web/${build}`),
    "/page.js": script("../browser/page.js"),
  });
  const page = await browser.newPage();
  await page.goto(url);
  const call = (name: string, ...args: readonly unknown[]): Promise<unknown> =>
    page.evaluate(`${name}(${args.map((arg) => JSON.stringify(arg)).join()})`);
  const seen = (): Promise<readonly string[]> => page.evaluate("seen");
  await call("connect", pipit.port, userId);
  return {
    origin: url,
    seen,
    call,
    sees: (beginning) =>
      until(
        `the page sees ${beginning}`,
        async () => (await seen()).find((line) => line.startsWith(beginning)),
        20_000,
      ),
  };
}
