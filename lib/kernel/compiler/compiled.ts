import { readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import vm from 'node:vm';
import { version } from 'typescript-6/package.json';
import { makeFolder, writeWhole } from '../../io/files';

/**
 * Loads TypeScript from the V8 code cache of an earlier start, which takes a third of the time; a later `require` of the
 * package returns the same module. Node 20 has no such cache of its own.
 *
 * @returns a function that saves the code compiled by then in `node_modules/.cache`, unless a valid cache exists
 */
export function loadTypeScript(): () => void {
  const file = require.resolve('typescript-6');
  const folder = join(dirname(file), '..', '..', '.cache', 'stability-training');
  const kept = join(folder, `typescript-${version}-node-${process.version}-${process.arch}.v8`);
  const script = new vm.Script(Module.wrap(readFileSync(file, 'utf8')), {
    filename: file,
    cachedData: read(kept),
  });
  const module = new Module(file);
  Object.assign(module, { filename: file, loaded: true });
  require.cache[file] = module;
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  return () => {
    if (script.cachedDataRejected === false) return;
    try {
      makeFolder(folder);
      writeWhole(kept, script.createCachedData());
    } catch {
      // The folder is not writable: each start compiles anew.
    }
  };
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}
