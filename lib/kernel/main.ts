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

// Node 23 removed it; tfjs-node 4.22 calls it.
Object.assign(util, { isNullOrUndefined: (value: unknown) => value === null || value === undefined });

// Each check of a cell leaves a checker behind; V8 would let a heap grow fourfold before it looks.
setFlagsFromString('--heap-growing-percent=100');

const connectionFile = process.argv[2] ?? '';
const connection: Connection = JSON.parse(readFileSync(connectionFile, 'utf8'));
// Before any thread can open a file of its own.
const beside = connectionFile.replace(/\.json$/, '');
const diverted = divertDescriptors(beside);
const presses: Presses = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
// TypeScript is loaded first, while the other thread answers already.
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
// A cell's own `process.exit`. Its words leave by the other thread.
process.on('exit', (code) => {
  if (presses[2] === 0 && session.end(code)) Atomics.wait(presses, 2, 0, 2000);
});

// What a cell leaves behind must not end the kernel.
process.on('uncaughtException', (error) => console.error('Uncaught:', error));
process.on('unhandledRejection', (reason) => console.error('Unhandled rejection:', reason));
// Where the other thread cannot hear it. While a cell computes nobody does then.
if (!internalsOf('signal_wrap')?.Signal)
  process.on('SIGINT', () => server.postMessage({ kind: 'interrupt' } satisfies ToServer));
