import { readFileSync, writeSync } from 'node:fs';
import util from 'node:util';
import { Worker } from 'node:worker_threads';
import { divertNativeStderr } from './cells/native-stderr';
import { Session } from './cells/session';
import type { Connection, Presses, ServerData, ToServer } from './wire/thread';

/*
 * The kernel's process: `node main.js <connection file>`, as the kernelspec says. The sockets live in a second thread;
 * cells run in this one, because native addons such as TensorFlow's load in the main thread only.
 */

// Node 23 removed it; tfjs-node 4.22 calls it.
Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });

const connectionFile = process.argv[2] ?? '';
const connection: Connection = JSON.parse(readFileSync(connectionFile, 'utf8'));
// Before any thread can open a file of its own.
const terminal = divertNativeStderr(`${connectionFile.replace(/\.json$/, '')}.log`);
const presses: Presses = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
const workerData: ServerData = { connection, presses, terminal };
const server = new Worker(require.resolve('./wire/server'), { workerData });
server.on('error', (error) => {
  writeSync(terminal, `kernel: ${error.stack}\n`);
  process.exit(1);
});
new Session(server, { presses, terminal });

// What a cell leaves behind must not end the kernel.
process.on('uncaughtException', (error) => console.error('Uncaught:', error));
process.on('unhandledRejection', (reason) => console.error('Unhandled rejection:', reason));
// Jupyter interrupts by a message; the signal means the same, as far as Node hears it while it computes.
process.on('SIGINT', () => {
  if (Atomics.exchange(presses, 1, 0) === 0) server.postMessage({ kind: 'interrupt' } satisfies ToServer);
});
