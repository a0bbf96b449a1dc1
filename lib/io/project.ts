import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

/** Returns a path in the project's folder. */
export function inProject(...path: readonly string[]): string {
  return join(__dirname, '..', '..', ...path);
}

/** Whether this is a checkout: the package that npm installs has no tsconfig.json. */
const isCheckout = existsSync(inProject('tsconfig.json'));

/** Returns a path in the default folder of data sets and runs: `data` in the checkout, or else in the working directory. */
export function inData(...path: readonly string[]): string {
  return isCheckout ? inProject('data', ...path) : join(process.cwd(), 'data', ...path);
}

/**
 * The environment of a process that computes. It makes glibc take memory in pages of 2 MB where Linux grants them (`madvise`),
 * for fewer page faults. Whoever starts the process sets it, since glibc reads it before the first line runs.
 */
export const LARGE_PAGES = { GLIBC_TUNABLES: process.env.GLIBC_TUNABLES ?? 'glibc.malloc.hugetlb=1' };

/**
 * Finds a module that runs in its own thread or process, by its path without extension. Returns its file and the arguments
 * that Node needs to load it: none if compiled, the TypeScript loader for the sources (in tests).
 */
export function ownModule(path: string): { readonly file: string; readonly execArgv: string[] } {
  const extension = extname(__filename);
  const execArgv = extension === '.ts' ? ['--require', require.resolve('tsx/cjs')] : [];
  return { file: `${path}${extension}`, execArgv };
}

let known: string | undefined;

/** Returns the package version and, in a checkout, the commit that this process began with. */
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
