import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { inProject } from '../lib/io/project';

/** The folders of lib. Each may import from those above it; `kernel` only from the two leaves. */
const ROOMS = [
  'io',
  'notebook',
  'tensorflow',
  'data',
  'distortions',
  'model',
  'evaluation',
  'training',
  'runs',
  'paper',
  'sweep',
  'plots',
  'kernel',
  'cli',
  'index.ts',
];
const LEAVES = ['io', 'notebook'];

const roomOf = (file: string) => file.split('/')[1];

describe('the library', () => {
  /** The files of the library that each of its files imports, types included, as the compiler resolves them. */
  const imports = new Map<string, string[]>();

  before(() => {
    const tsc = inProject('node_modules', 'typescript', 'bin', 'tsc');
    const args = [tsc, '-p', 'tsconfig.json', '--noEmit', '--explainFiles'];
    const told = execFileSync(process.execPath, args, {
      cwd: inProject(),
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    let imported = '';
    for (const line of told.split('\n')) {
      if (/^\S/.test(line)) imported = line;
      const importer = line.match(/^ +Imported via .* from file '(lib\/[^']+)'/)?.[1];
      if (!imported.startsWith('lib/')) continue;
      if (!imports.has(imported)) imports.set(imported, []);
      if (importer !== undefined) imports.set(importer, [...(imports.get(importer) ?? []), imported]);
    }
  });

  it('is read completely, as the compiler reads it', () => {
    assert.ok(imports.size > 100, `${imports.size} files`);
    assert.ok(imports.get('lib/runs/laboratory.ts')?.includes('lib/io/errors.ts'));
    for (const file of imports.keys()) assert.ok(ROOMS.includes(roomOf(file)), `${file} is in no room`);
  });

  it('imports one way, from room to room', () => {
    const wrong = [...imports].flatMap(([file, targets]) =>
      targets
        .filter((target) => {
          const [from, to] = [roomOf(file), roomOf(target)];
          if (from === to) return false;
          if (from === 'notebook') return to !== 'io';
          if (from === 'kernel') return !LEAVES.includes(to);
          return ROOMS.indexOf(to) > ROOMS.indexOf(from);
        })
        .map((target) => `${file} → ${target}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('has no circle of imports, types included', () => {
    const [done, path] = [new Set<string>(), [] as string[]];
    const visit = (file: string): void => {
      assert.ok(!path.includes(file), [...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file)) return;
      path.push(file);
      for (const target of imports.get(file) ?? []) visit(target);
      path.pop();
      done.add(file);
    };
    for (const file of imports.keys()) visit(file);
  });

  it('knows the inside of TensorFlow.js in only one folder', () => {
    const told = execFileSync('grep', ['-rl', "'@tensorflow/", inProject('lib')], {
      encoding: 'utf8',
    });
    for (const file of told.trim().split('\n')) assert.match(file, /\/lib\/tensorflow\//);
  });
});

describe('the public surface', () => {
  /** Returns the names that a module exports, types included, by its list of exports. */
  const namesIn = (file: string): string[] => {
    const source = readFileSync(inProject('lib', file), 'utf8');
    const listed = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list]) =>
      list.split(','),
    );
    const declared = [...source.matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name);
    return [...listed.map((name) => name.replace('type ', '').trim()).filter(Boolean), ...declared].sort();
  };
  const rooms = ROOMS.filter((room) => existsSync(inProject('lib', room, 'index.ts')));
  const surface = Object.fromEntries(
    ['.', ...rooms].map((room) => [room, namesIn(room === '.' ? 'index.ts' : `${room}/index.ts`)]),
  );

  it('is the one agreed on: adding or removing a name is a change for users', () => {
    const file = inProject('test', 'fixtures', 'surface.json');
    if (process.env.UPDATE) writeFileSync(file, `${JSON.stringify(surface, undefined, 2)}\n`);
    assert.deepEqual(surface, JSON.parse(readFileSync(file, 'utf8')));
    assert.ok(surface['.'].length <= 60, `${surface['.'].length} names`);
  });

  it('is in the folders that the README says have one', () => {
    const without = ROOMS.filter((room) => room !== 'index.ts' && !rooms.includes(room));
    const [last, ...others] = without.map((room) => `\`${room}\``).reverse();
    const said = `each folder of \`lib/\`, except ${others.reverse().join(', ')} and ${last}, has the rest`;
    assert.ok(readFileSync(inProject('README.md'), 'utf8').includes(said), said);
  });

  it('is reached under the names of the package, root and rooms', () => {
    for (const [room, names] of Object.entries(surface)) {
      const values = Object.keys(require(room === '.' ? 'stability-training' : `stability-training/${room}`));
      assert.deepEqual(
        values.filter((name) => !names.includes(name)),
        [],
        room,
      );
      assert.ok(values.length > 0, room);
    }
  });

  it('explains each of its names', () => {
    const sources = readdirSync(inProject('lib'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(inProject('lib', file), 'utf8'))
      .join('\n');
    const bare = [...new Set(Object.values(surface).flat())].filter(
      (name) =>
        !new RegExp(
          `\\*/\\nexport (async |abstract )*(function\\*?|class|const|import|interface|type) ${name}\\b`,
        ).test(sources),
    );
    assert.deepEqual(bare, []);
  });
});
