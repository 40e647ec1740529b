// Debian's chromium under playwright-core, with the flags that keep it quiet on a machine without internet.
import { chromium } from "playwright-core";

export async function start() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

// A list of named checks, run in order; each prints one line, and the exit status tells whether all passed.
export async function runAll(checks, only) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    if (only && !name.includes(only)) continue;
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${name}: ${error.stack || error}`);
    }
  }
  process.exitCode = failed ? 1 : 0;
}
