/**
 * Checks in some ten minutes whether a card computes correctly and how fast it is, and writes one page to send back:
 * `npm run check:gpu [-- options]`.
 *
 *   --out FILE   Default: check-gpu.md
 *   --cpu        Checks the processor in the same way
 *
 * Ops and trainings are tested against PyTorch's numbers, without the 19-bit products (TF32) that cards use by default.
 */
import { type ExecFileException, execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { writeWhole } from '../lib/io/files';
import { inProject, version } from '../lib/io/project';
import { device } from '../lib/tensorflow';
import { inNewFolder } from './folder';

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'check-gpu.md' }, cpu: { type: 'boolean', default: false } },
});

const NODE = ['--import', 'tsx'];
const CLI = [...NODE, 'lib/cli/main.ts'];
const OURS = ['tensorflow', 'distortions', 'corruptions', 'network', 'training', 'pytorch'];

/** Runs Node in the project, for at most `minutes`. @returns what it printed, and how it ended if it failed */
async function node(args: readonly string[], minutes: number, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = {
    cwd: inProject(),
    env: { ...process.env, ...env },
    timeout: minutes * 60_000,
    maxBuffer: Number.POSITIVE_INFINITY,
  };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, options);
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '', code, killed } = error as ExecFileException;
    const end = killed ? `stopped after ${minutes} minutes` : `ended with ${code}`;
    return `${stdout}${stderr.split('\n').slice(-20).join('\n')}\n(${end})\n`;
  }
}

/** Runs the tests of the ops and of what is built on them. @returns those that fail here, and the counts */
async function tests(): Promise<string> {
  const files = OURS.map((name) => `test/${name}.test.ts`);
  const printed = await node([...NODE, '--test', '--test-reporter=tap', ...files], 10, {
    NVIDIA_TF32_OVERRIDE: '0',
  });
  return printed
    .split('\n')
    .filter((line) => /^ *not ok|^ *error: |^# (tests|pass|fail) |^\(/.test(line))
    .join('\n');
}

/** Trains one seed twice, each time in a new process. @returns whether the bits are the same */
async function determinism(folder: string): Promise<string> {
  const weights = [];
  for (let time = 0; time < 2; time++) {
    const store = mkdtempSync(join(folder, 'store-'));
    const run =
      'run --preset smoke --method ST --alpha 1 --distortion gaussian-noise --strength 0.1 --seed 1000';
    const printed = await node([...CLI, ...run.split(' '), '--store', store], 3);
    const files = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('weights.safetensors'),
    );
    const hash = createHash('sha256');
    for (const file of files.sort()) hash.update(readFileSync(join(store, file)));
    if (files.length === 0) return printed;
    weights.push(hash.digest('hex').slice(0, 16));
  }
  return weights[0] === weights[1]
    ? `the same twice: ${weights[0]}`
    : `two kinds of weights: ${weights.join(', ')}`;
}

/** Measures the peak memory of the card during a training at `laptop`. */
async function cardMemory(): Promise<string> {
  const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
  /** Memory in use on the first card, in megabytes. */
  const used = () => Number.parseInt(execFileSync('nvidia-smi', query, { encoding: 'utf8' }), 10);
  const lines: string[] = [];
  for (const method of ['DA', 'ST']) {
    const before = used();
    let peak = before;
    const look = setInterval(() => {
      peak = Math.max(peak, used());
    }, 200);
    await node([...NODE, 'bench/memory.ts', '--child', method], 3, { TF_FORCE_GPU_ALLOW_GROWTH: 'true' });
    clearInterval(look);
    lines.push(`${method}: ${peak - before} MB`);
  }
  return lines.join('\n');
}

/** Computes Figure 1b of a seed that does not ship, if the pictures of `photos` are there. */
async function figure(store: string): Promise<string> {
  if (!existsSync(inProject('data', 'imagenette')))
    return 'Not tried: `npx stability-training data imagenette --out data/imagenette` gets the pictures.';
  const started = performance.now();
  const sweep = 'sweep --preset photos --figures fig1b --seeds 1000 --engine local';
  const printed = await node([...CLI, ...sweep.split(' '), '--store', store], 15);
  return `${printed.split('\n').slice(-6).join('\n')}\n${((performance.now() - started) / 1000).toFixed(0)} s`;
}

/** The sections of the page. Each may use a folder, which is removed afterwards. */
const sections: Readonly<Record<string, (folder: string) => Promise<string>>> = {
  'Tests of ops, distortions, network and training': tests,
  'One seed, two trainings': determinism,
  'Images a second, beside PyTorch': () =>
    node(
      [...NODE, 'bench/run.ts', ...(values.cpu ? [] : ['--gpu']), '--only', '224 px', '--repeats', '3'],
      10,
    ),
  'Can the input path feed it?': () => node([...NODE, 'bench/input.ts', '--repeats', '1'], 10),
  ...(!values.cpu && { 'Memory of the card': cardMemory }),
  'A figure of photos': figure,
};

async function main(): Promise<void> {
  const here = device();
  if (here.kind !== 'gpu' && !values.cpu) {
    console.error(
      'TensorFlow finds no card here.\n→ npm run setup -- --gpu, and see environment.md, "On a graphics card"',
    );
    process.exitCode = 1;
    return;
  }
  let page = `# Check of ${here.name}\n\nVersion ${version()}.\n\n\`\`\`\n${JSON.stringify(here, undefined, 2)}\n\`\`\`\n`;
  for (const [title, look] of Object.entries(sections)) {
    console.log(`${title} …`);
    const found = await inNewFolder(look);
    page += `\n## ${title}\n\n\`\`\`\n${found.trim()}\n\`\`\`\n`;
    writeWhole(values.out, page); // what is known so far, in case the next section crashes the machine
  }
  console.log(`\nThe page is ${values.out}.`);
}

void main();
