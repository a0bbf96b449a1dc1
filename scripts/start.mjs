// @ts-check
import { refuseOldNode } from './lib/node-version.mjs';

refuseOldNode();
import('./lib/commands.mjs').then(({ startCommand }) => startCommand(process.argv.slice(2)));
