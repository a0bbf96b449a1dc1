// @ts-check
import { refuseOldNode } from './lib/node-version.mjs';

refuseOldNode();
import('./lib/commands.mjs').then(({ setupCommand }) => setupCommand(process.argv.slice(2)));
