import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'google-chrome', 'google-chrome-stable'];

/** A headless Chromium: this machine's own, or else the one in the npm package, which brings its libraries along. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: installedBrowser() ?? (await packagedBrowser()),
    // In containers the user is root, for whom Chromium has no sandbox; only this machine's own pages are opened.
    args: ['--no-sandbox', '--disable-gpu'],
  });
}

function installedBrowser(): string | undefined {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders.flatMap((folder) => names.map((name) => path.join(folder, name))).find(existsSync);
}

async function packagedBrowser(): Promise<string> {
  // It unpacks its system libraries only where it takes the machine for one of these.
  process.env.AWS_LAMBDA_JS_RUNTIME = 'nodejs22.x';
  const { default: packaged } = await import('@sparticuz/chromium');
  return packaged.executablePath();
}
