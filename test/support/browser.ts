import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const installed = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * Starts a real Chromium: the machine's own, else the one in node_modules.
 *
 * @throws if none starts, since browser tests must not be skipped silently
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = installed.find(existsSync) ?? (await packaged());
  try {
    return await chromium.launch({ executablePath, args: flags });
  } catch (cause) {
    throw new Error(`No Chromium starts (tried ${executablePath}). Install one: apt-get install chromium`, {
      cause,
    });
  }
}

async function packaged(): Promise<string> {
  const { default: sparticuz } = await import('@sparticuz/chromium');
  return sparticuz.executablePath();
}
