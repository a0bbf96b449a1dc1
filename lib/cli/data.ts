/** `data`: builds data sets. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { installCifar10 } from '../data/build/cifar10';
import { buildFolder } from '../data/build/folder';
import { buildImagenette, type ImagenetteOptions } from '../data/build/imagenette';
import { buildTifs } from '../data/build/tifs';
import type { StoreHeader } from '../data/store';
import { type ProgressBar, type ProgressOptions, progress } from '../notebook/progress';
import type { Given } from './commands';
import { stopSignal } from './stop';

/** Fetches, checks and packs CIFAR-10, the one data set that needs no building. */
export async function cifar10({ from, out }: Given<'data cifar10'>): Promise<void> {
  const bars = showProgress();
  const store = await installCifar10({
    tarball: from,
    directory: out,
    signal: stopSignal(),
    onProgress: ({ step, done, total }) =>
      bars.show({ label: step, unit: 'images', ...(step === 'packing' && { total }) }, done),
  }).finally(bars.close);
  console.log(`CIFAR-10 is at ${store}.`);
}

export const imagenette = building<Given<'data imagenette'>>(buildImagenette);
export const tifs = building<Given<'data tifs'>>(buildTifs);
export const folder = building<Given<'data folder'>>(({ onDownload: _, ...options }) => buildFolder(options));

/** The part of a manifest that is printed. */
type Manifest = Pick<StoreHeader, 'classNames' | 'splits'> & { readonly leftOut: readonly string[] };

type Followed = Pick<ImagenetteOptions, 'signal' | 'onProgress' | 'onDownload'>;

/** Makes a command that runs a build with a progress bar; Ctrl-C stops the build so that it can be resumed. */
function building<Options>(build: (options: Options & Followed) => Promise<string>) {
  return async (options: Options): Promise<void> => {
    const bars = showProgress();
    const place = await build({
      ...options,
      signal: stopSignal(),
      onDownload(done, total) {
        const megabytes = (bytes: number) => Math.floor(bytes / 1e6);
        bars.show({ label: 'download', unit: 'MB', total: total && megabytes(total) }, megabytes(done));
      },
      onProgress({ done, total, problems }) {
        const bar = bars.show({ label: 'images', unit: 'images', total }, done);
        if (problems > 0) bar.note(`${problems} problems`);
      },
    }).finally(bars.close);
    const manifest = join(place, 'manifest.json');
    const { classNames, splits, leftOut } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    const { train, validation, test } = splits;
    const images = `${train} training, ${validation} validation and ${test} test images`;
    const told = `${leftOut.length} ${leftOut.length === 1 ? 'thing is' : 'things are'} left out`;
    const names = classNames.length > 8 ? [...classNames.slice(0, 8), '…'] : classNames;
    console.log(
      `Built ${place}: ${classNames.length} classes (${names.join(', ')}), ${images}.${leftOut.length > 0 ? ` ${told}: "leftOut" in ${manifest} says what and why.` : ''}`,
    );
  };
}

/** Shows one bar per step, one after the other; a new one if a build starts again without bad images. */
function showProgress() {
  let bar: ProgressBar | undefined;
  let shown: ProgressOptions | undefined;
  const close = () => bar?.close();
  return {
    show(what: ProgressOptions, done: number): ProgressBar {
      if (bar === undefined || shown?.label !== what.label || shown?.total !== what.total) {
        close();
        bar = progress(what);
        shown = what;
      }
      bar.advance(done - bar.done);
      return bar;
    },
    close,
  };
}
