import { readFileSync, writeSync } from 'node:fs';
import util from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { divertDescriptors } from './cells/descriptors';
import type * as Sessions from './cells/session';
import { loadTypeScript } from './compiler/compiled';
import { internalsOf } from './wire/internals';
import type { Connection, KernelData, Presses, ToServer } from './wire/thread';

/*
 * The kernel's process: `node main.js <connection file>`, as the kernelspec says. The sockets live in a second thread;
 * cells run in this one, because native addons such as TensorFlow's load in the main thread only.
 */

// Node 23 removed `isNullOrUndefined`, which tfjs-node 4.22 calls.
Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });

// Each check of a cell leaves a type checker behind; by default, V8 lets a heap grow fourfold before it collects it.
setFlagsFromString('--heap-growing-percent=100');

const connectionFile = process.argv[2] ?? '';
const connection: Connection = JSON.parse(readFileSync(connectionFile, 'utf8'));
// Comes before another thread can open a file and take a descriptor that is closed here.
const beside = connectionFile.replace(/\.json$/, '');
const diverted = divertDescriptors(beside);
const presses: Presses = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
// Counts as compiling: TypeScript is loading while the other thread already answers requests.
presses[1] = 1;
const data: KernelData = { connection, presses, diverted, history: `${beside}.history` };
const server = new Worker(require.resolve('./wire/server'), { workerData: data });
server.on('error', (error) => {
  writeSync(diverted.terminal, `kernel: ${error.stack}\n`);
  process.exit(1);
});
const keepCompiled = loadTypeScript();
const { Session }: typeof Sessions = require('./cells/session');
const session = new Session(server, data);
keepCompiled();
presses[1] = 0;
// When a cell calls `process.exit`, waits until the other thread has sent the last output.
process.on('exit', (code) => {
  if (presses[2] === 0 && session.end(code)) Atomics.wait(presses, 2, 0, 2000);
});

// Errors in what a cell has left running must not end the kernel.
process.on('uncaughtException', (error) => console.error('Uncaught:', error));
process.on('unhandledRejection', (reason) => console.error('Unhandled rejection:', reason));
// Hears SIGINT where the other thread cannot; while a cell computes, nothing hears it then.
if (!internalsOf('signal_wrap')?.Signal)
  process.on('SIGINT', () => server.postMessage({ kind: 'interrupt' } satisfies ToServer));
