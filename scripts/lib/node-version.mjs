// @ts-check
// Uses only syntax that the oldest Node with modules knows, so that it reports a sentence and not a syntax error.
import fs from 'node:fs';

/** Ends the process, with the cure, on a Node older than package.json asks for. */
export function refuseOldNode() {
  const { engines } = JSON.parse(fs.readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const [major, minor] = engines.node.match(/\d+/g).map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  console.error(`✗ Node ${process.versions.node} is too old: ${engines.node} is needed.`);
  console.error('→ Install a current one from https://nodejs.org, or with nvm: nvm install --lts');
  process.exit(1);
}
