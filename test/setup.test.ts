import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { launchBrowser } from './support/browser';

const root = path.join(__dirname, '..');
const fakeTool = path.join(__dirname, 'support', 'fake-tool.cjs');

/** The tools that set-up calls in an empty clone, in order. */
const allCalls = [
  'npm ci',
  'python -m venv',
  'pip install jupyter',
  'pip install cpu',
  'patch-package',
  'node-pre-gyp',
  'tsc',
  'cifar10',
];

const addonPatch = ['scripts', 'packages', '@tensorflow+tfjs-node-gpu+4.22.0.patch'];

/** The call with which set-up resumes after it was stopped in `call`: the addon is patched and built in one step. */
const stepOf = (call: string) => (call === 'node-pre-gyp' ? 'patch-package' : call);

interface Ended {
  readonly code: number | null;
  /** What the command printed, on both streams. */
  readonly text: string;
}

/** A clone of the repository, with fake tools on its `PATH`. */
class World {
  readonly #hung: number[] = [];

  private constructor(readonly folder: string) {}

  static async make(tools: readonly string[] = ['npm', 'python3', 'g++', 'make']): Promise<World> {
    const world = new World(await mkdtemp(path.join(tmpdir(), 'set-up with spaces-')));
    await cp(path.join(root, 'scripts'), world.path('scripts'), { recursive: true });
    await cp(path.join(root, 'package.json'), world.path('package.json'));
    await writeFile(world.path('tsconfig.json'), '{}');
    await writeFile(world.path('package-lock.json'), lockfile('1.0.0'));
    await mkdir(world.path('lib'));
    await writeFile(world.path('lib', 'index.ts'), 'export {};');
    await mkdir(world.path('tools'));
    for (const tool of tools) {
      const player = tool === 'python3' ? 'python' : tool;
      const script = `#!/bin/sh\nexec '${process.execPath}' '${fakeTool}' ${player} "$@"\n`;
      await writeFile(world.path('tools', tool), script, { mode: 0o755 });
    }
    await world.order({});
    return world;
  }

  path(...parts: string[]): string {
    return path.join(this.folder, ...parts);
  }

  order(orders: Readonly<Record<string, string>>): Promise<void> {
    return writeFile(this.path('orders.json'), JSON.stringify(orders));
  }

  spawn(script: 'setup' | 'start', args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return spawn(process.execPath, [this.path('scripts', `${script}.mjs`), ...args], {
      cwd: this.folder,
      env: { PATH: this.path('tools'), HOME: this.folder, FAKE_WORLD: this.folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async run(
    script: 'setup' | 'start',
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<Ended> {
    return ended(this.spawn(script, args, env));
  }

  /** Returns the tools called since the last time. */
  async calls(): Promise<string[]> {
    const text = await readFile(this.path('calls'), 'utf8').catch(() => '');
    await rm(this.path('calls'), { force: true });
    return text.split('\n').slice(0, -1);
  }

  /** Waits for a tool that was told to hang. @returns its process */
  async hanging(): Promise<number> {
    for (;;) {
      const pid = await readFile(this.path('hanging'), 'utf8').catch(() => '');
      if (pid) {
        await rm(this.path('hanging'));
        this.#hung.push(Number(pid));
        return Number(pid);
      }
      await wait(20);
    }
  }

  remove(): Promise<void> {
    for (const pid of this.#hung.filter(isAlive)) process.kill(pid, 'SIGKILL');
    return rm(this.folder, { recursive: true, force: true });
  }
}

function lockfile(version: string): string {
  const packages = {
    '': { version: '0.1.0' },
    'node_modules/needed': { version },
    'node_modules/of-another-platform': { version, optional: true },
  };
  return JSON.stringify({ packages });
}

async function ended(child: ChildProcess): Promise<Ended> {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      text += chunk;
    });
  }
  const [code] = await once(child, 'close');
  return { code, text };
}

/** Whether a process still runs. One that has ended may wait as a zombie for its parent to notice. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z');
  } catch {
    return false;
  }
}

/** An environment in which `code` runs before the script. */
const preloaded = (code: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
});

/** An environment in which the script takes the machine for another one. */
const onMachine = (platform: NodeJS.Platform, arch: string) =>
  preloaded(
    `Object.defineProperties(process, { platform: { value: '${platform}' }, arch: { value: '${arch}' } })`,
  );

/** Runs a test in a clone of its own. */
async function inWorld(work: (world: World) => Promise<void>, tools?: readonly string[]): Promise<void> {
  const world = await World.make(tools);
  try {
    await work(world);
  } finally {
    await world.remove();
  }
}

describe('set-up from nothing', () => {
  test('makes every step once; the second run makes nothing', () =>
    inWorld(async (world) => {
      const first = await world.run('setup');
      assert.equal(first.code, 0, first.text);
      assert.deepEqual(await world.calls(), allCalls);
      for (const step of ['1/7', '2/7', '3/7', '4/7', '5/7', '6/7', '7/7']) {
        assert.match(first.text, new RegExp(`\\[${step}\\] .+ … \\d+ s`));
      }
      const second = await world.run('setup');
      assert.deepEqual(await world.calls(), []);
      assert.equal(second.text, 'Set-up: everything is in place.\n');
    }));

  for (const [platform, arch, wheel, tools] of [
    ['linux', 'x64', 'gpu', ['nvidia-smi']],
    ['linux', 'arm64', 'cpu', ['nvidia-smi']],
    ['darwin', 'arm64', 'cpu', []],
  ] as const)
    test(`on ${platform} ${arch}${tools.length > 0 ? ' with an NVIDIA driver' : ''}: TensorFlow’s ${wheel} build`, () =>
      inWorld(
        async (world) => {
          const { code, text } = await world.run('setup', [], onMachine(platform, arch));
          assert.equal(code, 0, text);
          assert.ok((await world.calls()).includes(`pip install ${wheel}`));
        },
        ['npm', 'python3', 'g++', 'make', ...tools],
      ));

  test('two that start together do the work once', () =>
    inWorld(async (world) => {
      const both = await Promise.all([world.run('setup'), world.run('setup')]);
      for (const { code, text } of both) assert.equal(code, 0, text);
      assert.deepEqual(await world.calls(), allCalls);
    }));
});

describe('the lock of a killed set-up', () => {
  const leaveLock = async (world: World) => {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    await mkdir(world.path('.jupyter'), { recursive: true });
    const another = `${process.pid} ${boot}${readlinkSync('/proc/self/ns/pid')} 1`;
    await writeFile(world.path('.jupyter', 'set-up.lock.1'), another);
  };

  test('is taken over, also if another process has its number', () =>
    inWorld(async (world) => {
      await leaveLock(world);
      const { code, text } = await world.run('setup');
      assert.equal(code, 0, text);
      assert.doesNotMatch(text, /waiting for it/);
    }));

  test('is taken over by only one at a time of several that start together', () =>
    inWorld(async (world) => {
      const turn = JSON.stringify(world.path('scripts', 'lib', 'turn.mjs'));
      const busy = JSON.stringify(world.path('busy'));
      const code = `
        import fs from 'node:fs';
        import { setTimeout as wait } from 'node:timers/promises';
        import { takeTurn } from ${turn};
        while (Date.now() < ${Date.now() + 1500}) await wait(1); // all at once
        const end = await takeTurn();
        fs.writeFileSync(${busy}, '', { flag: 'wx' }); // fails where another is at work
        await wait(100);
        fs.rmSync(${busy});
        end();`;
      await leaveLock(world);
      const children = Array.from({ length: 6 }, () =>
        ended(spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'pipe' })),
      );
      for (const { code, text } of await Promise.all(children)) assert.equal(code, 0, text);
      assert.deepEqual(await readdir(world.path('.jupyter')), [], 'a lock is left');
    }));
});

describe('set-up after a change', () => {
  let world: World;
  before(async () => {
    world = await World.make();
    await world.run('setup');
    await world.calls();
  });
  after(() => world.remove());

  const remade = async (...args: readonly string[]) => {
    const { code, text } = await world.run('setup', args);
    assert.equal(code, 0, text);
    return world.calls();
  };

  test('the library', async () => {
    await writeFile(world.path('lib', 'index.ts'), 'export const x = 1;');
    assert.deepEqual(await remade(), ['tsc']);
  });

  test('the lockfile: the addon lies in node_modules and is removed with it', async () => {
    await writeFile(world.path('package-lock.json'), lockfile('1.0.1'));
    assert.deepEqual(await remade(), ['npm ci', 'patch-package', 'node-pre-gyp']);
  });

  test('the patch of the addon', async () => {
    await writeFile(world.path(...addonPatch), 'another');
    assert.deepEqual(await remade(), ['patch-package', 'node-pre-gyp']);
  });

  test('the patch of an addon that has the one of an earlier version', async () => {
    await writeFile(world.path(...addonPatch), 'a third');
    await world.order({ 'patch-package': 'fail once' });
    assert.deepEqual(await remade(), ['patch-package', 'npm install', 'patch-package', 'node-pre-gyp']);
  });

  test('the pins of JupyterLab', async () => {
    await writeFile(world.path('scripts', 'requirements-jupyter.txt'), 'jupyterlab==5');
    await rm(world.path('.venv', 'lib', 'python3.12', 'site-packages', 'jupyterlab-1.dist-info'), {
      recursive: true,
    });
    assert.deepEqual(await remade(), ['pip install jupyter']);
  });

  test('a data set that was altered', async () => {
    await writeFile(world.path('data', 'cifar10', 'cifar10.store'), 'imagez');
    assert.deepEqual(await remade(), ['cifar10']);
  });

  test('a compiled library that was deleted', async () => {
    await rm(world.path('dist'), { recursive: true });
    assert.deepEqual(await remade(), ['tsc']);
  });

  test('--gpu chooses the CUDA build, which stays until --cpu', async () => {
    assert.deepEqual(await remade('--gpu'), ['pip install gpu', 'patch-package', 'node-pre-gyp']);
    assert.deepEqual(await remade(), []);
    assert.deepEqual(await remade('--cpu'), ['pip install cpu', 'patch-package', 'node-pre-gyp']);
  });

  test('a repository that was moved: its venv and links hold the old path', async () => {
    const elsewhere = path.join(world.folder, 'moved');
    await mkdir(elsewhere);
    for (const name of await readdir(world.folder)) {
      if (!['moved', 'calls', 'orders.json', 'tools'].includes(name)) {
        await cp(world.path(name), path.join(elsewhere, name), { recursive: true, verbatimSymlinks: true });
      }
    }
    const child = spawn(process.execPath, [path.join(elsewhere, 'scripts', 'setup.mjs')], {
      cwd: elsewhere,
      env: { PATH: world.path('tools'), FAKE_WORLD: world.folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { code, text } = await ended(child);
    assert.equal(code, 0, text);
    assert.deepEqual(
      await world.calls(),
      allCalls.filter((call) => call !== 'npm ci'),
    );
  });
});

describe('an interrupted set-up', () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const call of allCalls.filter((name) => name !== 'cifar10')) {
      test(`${signal} in the middle of ${call}: the next one resumes there`, () =>
        inWorld(async (world) => {
          await world.order({ [call]: 'hang' });
          const child = world.spawn('setup');
          const end = ended(child);
          const tool = await world.hanging();
          child.kill(signal);
          const { code, text } = await end;
          if (signal === 'SIGTERM') {
            assert.equal(code, 1);
            assert.match(text, /✗ Interrupted\n→ The same command goes on from here\./);
            assert.ok(!isAlive(tool), 'the tool goes on alone');
          }
          assert.deepEqual(await world.calls(), allCalls.slice(0, allCalls.indexOf(call) + 1));

          await world.order({});
          const next = await world.run('setup');
          assert.equal(next.code, 0, next.text);
          assert.ok(!isAlive(tool), 'the tool of the killed set-up goes on beside the new one');
          assert.deepEqual(await world.calls(), allCalls.slice(allCalls.indexOf(stepOf(call))));
          assert.deepEqual(await readdir(world.path('.jupyter')), ['kernels'], 'a lock is left');
        }));
    }
  }
});

describe('what a machine lacks', () => {
  const refused = (tools: readonly string[], expected: readonly RegExp[], env: NodeJS.ProcessEnv = {}) =>
    inWorld(async (world) => {
      const { code, text } = await world.run('setup', [], env);
      assert.equal(code, 1);
      for (const pattern of expected) assert.match(text, pattern);
      assert.equal(text.match(/✗ /g)?.length, expected.length + 1, text);
      assert.doesNotMatch(text, /^ +at /m, 'a stack');
      assert.deepEqual(await world.calls(), [], 'nothing is begun');
    }, tools);

  test('everything at once', () =>
    refused(
      [],
      [
        /npm was not found.*\n.*→ .*apt-get install npm/,
        /Python was not found: Python 3\.10 to 3\.14.*\n.*→ .*apt-get install python3 python3-venv/,
        /g\+\+ and make not found.*\n.*→ .*apt-get install g\+\+ make/,
      ],
    ));

  for (const [platform, arch] of [
    ['darwin', 'x64'],
    ['linux', 's390x'],
  ] as const)
    test(`TensorFlow for ${platform} on ${arch}`, () =>
      refused(
        ['npm', 'python3', 'g++', 'make'],
        [
          new RegExp(
            `for Linux on x86-64 and arm64 and .*, and this is ${platform} on ${arch}.*\\n.*→ .*container`,
          ),
        ],
        onMachine(platform, arch),
      ));

  test('only make', () => refused(['npm', 'python3', 'g++'], [/: make not found/]));

  test('a Python without venv', () =>
    refused(['npm', 'python3', 'g++', 'make'], [/Python 3\.12 .*without venv.*\n.*→ .*python3-venv/], {
      FAKE_VENV: 'no',
    }));

  test('a Python that is too old', () =>
    refused(
      ['npm', 'python3', 'g++', 'make'],
      [/Python 3\.10 to 3\.14 is needed, and the one here is 3\.9/],
      {
        FAKE_PYTHON: '3.9',
      },
    ));

  test('disk space', () => {
    const small = `import fs from 'node:fs'; fs.statfsSync = () => ({ bavail: 1e6, bsize: 1000 });`;
    const tools = ['npm', 'python3', 'g++', 'make'];
    return refused(
      tools,
      [/4\.\d GB of disk space are needed in .*, and 1\.0 GB are free/],
      preloaded(small),
    );
  });

  test('Node', () =>
    inWorld(async (world) => {
      const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } })`;
      for (const script of ['setup', 'start'] as const) {
        const { code, text } = await world.run(script, [], preloaded(old));
        assert.equal(code, 1);
        assert.match(text, /^✗ Node 20\.18\.3 is too old: >=20\.19 is needed\.\n→ .*nodejs\.org.*\n$/);
      }
    }));
});

/** A pattern that matches exactly this text. */
const literal = (text: string) => text.replace(/[[\]().*]/g, '\\$&');

describe('a tool that fails', () => {
  const failing = (call: string, says: string, expected: RegExp) =>
    inWorld(async (world) => {
      await world.order({ [call]: says });
      const { code, text } = await world.run('setup');
      assert.equal(code, 1);
      assert.match(text, expected);
      assert.ok(
        text.trimEnd().endsWith(says.split('\n').at(-1) ?? ''),
        `what the tool said comes last:\n${text}`,
      );
      assert.doesNotMatch(text, /^ +at /m, 'a stack');

      await world.calls();
      await world.order({});
      assert.equal((await world.run('setup')).code, 0);
      assert.equal((await world.calls())[0], stepOf(call), 'what was done before is kept');
    });

  test('npm without a network', () =>
    failing(
      'npm ci',
      'npm error request to the registry failed, reason: getaddrinfo ENOTFOUND',
      /✗ The package registry is out of reach \(npm ci\)\n→ Check the network.*HTTPS_PROXY/,
    ));

  test('pip without a network', () =>
    failing(
      'pip install cpu',
      'Retrying after connection broken by NewConnectionError',
      /✗ The package registry is out of reach \(installing TensorFlow\)\n→ Check the network/,
    ));

  test('a package that is not the pinned one', () =>
    failing(
      'pip install jupyter',
      'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.',
      /✗ A download is not the file that was pinned .*\n→ Empty the download caches/,
    ));

  test('a full disk', () =>
    failing('node-pre-gyp', 'fatal error: No space left on device', /✗ The disk is full .*\n→ Make room/));

  test('the headers of Node', () =>
    failing(
      'node-pre-gyp',
      'gyp http GET https://nodejs.org/download/release\ngyp ERR! configure error',
      /✗ The headers of this Node were not found.*\n→ Take a Node that brings its headers/,
    ));

  test('a compiler whose error is in the middle of what it prints', () => {
    const lines = Array.from({ length: 200 }, (_, at) => `line ${at}.`);
    lines[100] = 'c_api.h:1:1: fatal error: no such header';
    lines[110] = 'make: *** [binding.o] Error 1';
    const kept = [...lines.slice(0, 15), lines[100], lines[110], ...lines.slice(-25)];
    return failing(
      'node-pre-gyp',
      lines.join('\n'),
      new RegExp(`printed:\\s+${kept.map(literal).join('\\s+')}`),
    );
  });

  test('anything else', () =>
    failing('tsc', 'lib/x.ts(1,1): error TS1', /✗ compiling the library failed\n→ Fix what it says below/));
});

describe('the command line', () => {
  const refused = (
    script: 'setup' | 'start',
    args: readonly string[],
    expected: RegExp,
    env: NodeJS.ProcessEnv = {},
  ) =>
    inWorld(async (world) => {
      const { code, text } = await world.run(script, args, env);
      assert.equal(code, 1);
      assert.match(text, expected);
      assert.deepEqual(await world.calls(), []);
    });

  test('an unknown option of set-up', () =>
    refused('setup', ['--gpus'], /✗ Unknown option: --gpus\n→ npm run setup/));
  test('CUDA on arm64', () =>
    refused(
      'setup',
      ['--gpu'],
      /CUDA build for x86-64 alone, and this is arm64/,
      onMachine('linux', 'arm64'),
    ));
  test('both kinds', () => refused('start', ['--gpu', '--cpu'], /--gpu and --cpu exclude each other/));

  test('--help', () =>
    inWorld(async (world) => {
      const { code, text } = await world.run('setup', ['--help']);
      assert.equal(code, 0);
      assert.match(text, /--gpu .*\n.*--cpu/);
      assert.deepEqual(await world.calls(), []);
    }));
});

describe('start', () => {
  test('sets up, then runs JupyterLab with the arguments given', () =>
    inWorld(async (world) => {
      const { code, text } = await world.run('start', [
        '--no-browser',
        '--gpu',
        '--port',
        '9999',
        '--ip=::1',
      ]);
      assert.equal(code, 0, text);
      assert.ok((await world.calls()).includes('pip install gpu'));
      const { args, ...rest } = JSON.parse(await readFile(world.path('jupyterlab.json'), 'utf8'));
      const given = args.filter((arg: string) => arg !== '--allow-root');
      assert.deepEqual(given, ['-m', 'jupyterlab', '--no-browser', '--port', '9999', '--ip=::1']);
      assert.deepEqual(rest, {
        root: world.folder,
        JUPYTER_PATH: world.path('.jupyter'),
        JUPYTER_CONFIG_PATH: world.path('scripts', 'jupyter'),
      });
      assert.equal((await world.run('start', ['--fail'])).code, 3, 'the exit status of JupyterLab');
    }));

  test('ends with JupyterLab when it is stopped', () =>
    inWorld(async (world) => {
      await world.run('setup');
      await world.order({ jupyterlab: 'hang' });
      const child = world.spawn('start');
      const end = ended(child);
      const jupyter = await world.hanging();
      child.kill('SIGTERM');
      assert.equal((await end).code, 0);
      assert.ok(!isAlive(jupyter));
    }));

  test('fails if something else kills JupyterLab', () =>
    inWorld(async (world) => {
      await world.order({ jupyterlab: 'hang' });
      const end = ended(world.spawn('start'));
      process.kill(await world.hanging(), 'SIGKILL');
      assert.equal((await end).code, 128 + 9);
    }));
});

describe('JupyterLab itself', () => {
  let server: ChildProcess;
  let closed: Promise<unknown[]>;
  let printed = '';
  let url: URL;

  before(async () => {
    server = spawn(process.execPath, [path.join(root, 'scripts', 'start.mjs'), '--no-browser', '--port=0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    closed = once(server, 'close');
    const ready = new Promise<string>((resolve) => {
      for (const stream of [server.stdout, server.stderr]) {
        stream?.on('data', (chunk) => {
          printed += chunk;
          const [found] = /http:\S+\?token=\w+/.exec(printed) ?? [];
          if (found) resolve(found);
        });
      }
    });
    const found = await Promise.race([ready, closed.then(() => undefined)]);
    assert.ok(found, `it ended:\n${printed}`);
    url = new URL(found);
  });

  after(async () => {
    server.kill('SIGTERM');
    assert.deepEqual(await closed, [0, null]);
  });

  test('prints little but its address', () => {
    assert.doesNotMatch(printed, /\[[IW] /);
  });

  test('listens only on this machine, to those who have the token', async () => {
    assert.equal(url.hostname, '127.0.0.1');
    const status = new URL('/api/status', url);
    assert.equal((await fetch(status)).status, 403);
    status.search = url.search;
    assert.equal((await fetch(status)).status, 200);
    const others = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    for (const { address, family } of others.filter(({ internal }) => !internal)) {
      status.hostname = family === 'IPv6' ? `[${address}]` : address;
      await assert.rejects(fetch(status), `it answers at ${address}`);
    }
  });

  test('greets with the notebooks and the project’s kernel, and asks nothing', async () => {
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      const asked: string[] = [];
      page.on('request', (request) => {
        const { hostname } = new URL(request.url());
        if (hostname !== '127.0.0.1') asked.push(request.url());
      });
      await page.goto(url.href);
      await page.getByText('TypeScript (stability training)').first().waitFor();
      await page.locator('.jp-BreadCrumbs-item', { hasText: 'notebooks' }).waitFor();
      // JupyterLab asks about news and updates some moments after its start.
      await page.waitForTimeout(2_000);
      assert.equal(await page.locator('.jp-Dialog, .jp-toastContainer').count(), 0);
      assert.deepEqual(asked, [], 'requests to elsewhere');
    } finally {
      await browser.close();
    }
  });
});
