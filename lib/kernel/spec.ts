import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { makeFolder } from '../io/files';
import { LARGE_PAGES } from '../io/project';

/** The kernel's icon in launchers and notebooks: the letters TS, drawn as paths so that no font is needed. */
const logoSvg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
  <rect width="64" height="64" rx="10" fill="#3178c6"/>
  <g fill="none" stroke="#fff" stroke-width="6">
    <path d="M8 28h24M20 25v29"/>
    <path d="M55 32c-2-4-6-5-10-5-5 0-8 2-8 6 0 4 4 5 9 7s9 4 9 8c0 5-5 6-10 6-4 0-8-2-10-6"/>
  </g>
</svg>
`;

/** The kernel's name, as notebooks store it. */
const kernelName = 'stability-training';

const kernelspec = {
  argv: [
    process.execPath,
    // Code that V8 terminates leaves Node's asynchronous calls open; Node must not end the process because of them.
    '--no-force-async-hooks-checks',
    join(__dirname, 'main.js'),
    '{connection_file}',
  ],
  display_name: 'TypeScript (stability training)',
  language: 'typescript',
  // The server's thread receives a message while a cell computes; a signal would have to wait.
  interrupt_mode: 'message',
  metadata: { debugger: true },
  // Set here, too, for cells that load TensorFlow without this library.
  env: {
    TF_CPP_MIN_LOG_LEVEL: '2',
    // Lets two notebooks share a graphics card.
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    // Images are decoded in libuv's thread pool.
    UV_THREADPOOL_SIZE: String(Math.max(4, availableParallelism())),
    ...LARGE_PAGES,
  },
};

/**
 * Registers the kernel with Jupyter: writes `kernel.json` and the logos to the kernel's own folder.
 *
 * @param directory Jupyter's kernels folder, such as `~/.local/share/jupyter/kernels`.
 */
export async function installKernelspec(directory: string): Promise<void> {
  const target = join(directory, kernelName);
  makeFolder(directory);
  const aside = await mkdtemp(`${target}.`);
  await writeFile(join(aside, 'kernel.json'), `${JSON.stringify(kernelspec, null, 2)}\n`);
  await writeFile(join(aside, 'logo-svg.svg'), logoSvg);
  for (const side of [32, 64]) {
    const logo = await sharp(Buffer.from(logoSvg)).resize(side).png().toBuffer();
    await writeFile(join(aside, `logo-${side}x${side}.png`), logo);
  }
  // Only its creator may read a temporary folder; Jupyter may run as another user.
  await chmod(aside, 0o755);
  await rm(target, { recursive: true, force: true });
  await rename(aside, target);
}
