import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

/** A path in the project's folder. */
export function inProject(...path: readonly string[]): string {
  return join(__dirname, '..', '..', ...path);
}

/** The package that npm installs has none. */
const isCheckout = existsSync(inProject('tsconfig.json'));

/** A path in the folder where data sets and runs lie by default: a checkout's `data`, else that of the folder one works in. */
export function inData(...path: readonly string[]): string {
  return isCheckout ? inProject('data', ...path) : join(process.cwd(), 'data', ...path);
}

/**
 * Environment of a process that computes: glibc takes memory in pages of 2 MB, where Linux grants them (`madvise`), so that
 * a step has fewer page faults. It is set by whoever starts the process, since glibc reads it before the first line runs.
 */
export const LARGE_PAGES = { GLIBC_TUNABLES: process.env.GLIBC_TUNABLES ?? 'glibc.malloc.hugetlb=1' };

/**
 * Finds a module that runs in a thread or process of its own, by its path without extension: its file, and the arguments
 * that Node needs to load it. Compiled it needs none; from the sources (in tests) it needs the TypeScript loader.
 */
export function ownModule(path: string): { readonly file: string; readonly execArgv: string[] } {
  const extension = extname(__filename);
  const execArgv = extension === '.ts' ? ['--require', require.resolve('tsx/cjs')] : [];
  return { file: `${path}${extension}`, execArgv };
}

let known: string | undefined;

/** Package version and, from a checkout, the commit that this process began with. */
export function version(): string {
  known ??= lookUpVersion();
  return known;
}

function lookUpVersion(): string {
  const { version } = JSON.parse(readFileSync(inProject('package.json'), 'utf8')) as { version: string };
  try {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: inProject(),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return `${version}+${commit.toString().trim()}`;
  } catch {
    return version; // not a checkout, or no git
  }
}
