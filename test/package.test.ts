/** The package as npm packs it, in a folder outside this project: the commands and code of its two pages. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { root } from './support/kernel';

const folder = mkdtempSync(join(tmpdir(), 'a (package) '));
const env = { ...process.env };
for (const name of Object.keys(env)) if (/^(npm_|NODE_OPTIONS)/.test(name)) delete env[name];

/** Runs a program in the folder. @returns its stdout */
async function run(file: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { cwd: folder, env: { ...env, ...more }, maxBuffer: 2 ** 26 };
  return (await promisify(execFile)(file, args, options)).stdout;
}

/** Returns the first code block of a page in a language. */
function codeOf(page: string, language: string): string {
  const text = readFileSync(join(root, page), 'utf8');
  return (new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(text) as RegExpExecArray)[1];
}

before(async () => {
  // Already compiled, like everything that these tests run.
  await promisify(execFile)('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    env,
  });
  // A project with its own compiler.
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  await run('npm', ['install', '--ignore-scripts', `typescript@${devDependencies.typescript}`]);
  const commands = codeOf('lib/tensorflow/README.md', 'sh');
  for (const line of commands.split('\n').filter(Boolean)) await run('bash', ['-c', line]);
});

after(() => rmSync(folder, { recursive: true, force: true }));

test('the project keeps its own compiler', () => {
  const compiler = realpathSync(join(folder, 'node_modules', '.bin', 'tsc'));
  assert.equal(relative(folder, compiler), join('node_modules', 'typescript', 'bin', 'tsc'));
});

test('a library can re-export everything of this one, with its types', async () => {
  const rooms = Object.keys(JSON.parse(readFileSync(join(root, 'test', 'fixtures', 'surface.json'), 'utf8')));
  const lines = rooms.flatMap((room, at) => {
    const from = room === '.' ? 'stability-training' : `stability-training/${room}`;
    const exported = Object.entries<unknown>(require(from)).flatMap(([name, value]) => {
      const isCalled = typeof value === 'function' && !/^class/.test(String(value));
      const result = `(r${at}.${name} as unknown as () => ReturnType<typeof r${at}.${name}>)()`;
      const own = `export const r${at}_${name} = r${at}.${name};`;
      return isCalled ? [own, `export const r${at}_${name}_result = () => ${result};`] : [own];
    });
    return [`import * as r${at} from '${from}';`, ...exported];
  });
  writeFileSync(join(folder, 'library.ts'), lines.join('\n'));
  const compiler = ['--strict', '--skipLibCheck', '--declaration', '--module', 'nodenext', '--types', 'node'];
  const told = run('npx', ['tsc', ...compiler, '--outDir', 'library', 'library.ts']);
  assert.equal(await told.catch(({ stdout }) => stdout), '');
});

test('the page of the runtime: a network trained op by op and as one graph', async () => {
  writeFileSync(join(folder, 'page.js'), codeOf('lib/tensorflow/README.md', 'js'));
  const [eager, compiled] = (await run(process.execPath, ['page.js']))
    .split('\n')
    .filter((line) => /ms a step/.test(line))
    .map(
      (line) =>
        line
          .match(/loss (\S+) → (\S+)/)
          ?.slice(1)
          .map(Number) ?? [],
    );
  for (const [first, last] of [eager, compiled]) assert.ok(last < first / 2, `loss ${first} → ${last}`);
});

test('the kernel, in a Jupyter outside the project, draws a figure from shipped results', async () => {
  const kernels = join(folder, 'share', 'jupyter', 'kernels');
  await run('npx', ['stability-training', 'kernel', 'install', '--directory', kernels]);
  const cell = `import * as st from 'stability-training';
await st.showFigure('fig1a', new st.Laboratory({ preset: 'photos' }));`;
  const code = { cell_type: 'code', execution_count: null, metadata: {}, outputs: [] };
  writeFileSync(
    join(folder, 'figure.ipynb'),
    JSON.stringify({
      nbformat: 4,
      nbformat_minor: 4,
      metadata: {
        kernelspec: { name: 'stability-training', display_name: 'TypeScript', language: 'typescript' },
      },
      cells: [{ ...code, source: cell }],
    }),
  );
  mkdirSync(join(folder, 'jupyter'));
  const jupyter = join(root, '.venv', 'bin', 'jupyter');
  const args = ['execute', 'figure.ipynb', '--inplace'];
  await run(jupyter, args, {
    JUPYTER_PATH: join(folder, 'share', 'jupyter'),
    JUPYTER_DATA_DIR: join(folder, 'jupyter'),
  });
  const { cells } = JSON.parse(readFileSync(join(folder, 'figure.ipynb'), 'utf8'));
  const drawn = cells[0].outputs.find(({ data = {} }) => 'application/vnd.plotly.v1+json' in data);
  assert.match([drawn.data['image/svg+xml']].flat().join(''), /^<svg/);
});

test('data and runs lie in the working folder, and what is missing is reported', async () => {
  const status = await run('npx', [
    'stability-training',
    'status',
    '--preset',
    'photos',
    '--figures',
    'fig1a',
    '--json',
  ]);
  assert.ok(JSON.parse(status).jobs.length > 0);
  await assert.rejects(
    run('npx', ['stability-training', 'run', '--method', 'baseline', '--retrain']),
    (error: { stderr: string }) => {
      assert.ok(error.stderr.includes(join(folder, 'data', 'cifar10')), error.stderr);
      return /stability-training data cifar10/.test(error.stderr);
    },
  );
});
