/** `data`: data sets are built. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildFolder } from '../data/build/folder';
import { buildImagenette, type ImagenetteOptions } from '../data/build/imagenette';
import { buildTifs } from '../data/build/tifs';
import { type ProgressBar, type ProgressOptions, progress } from '../notebook/progress';
import type { Given } from './commands';
import { stopSignal } from './stop';

export const imagenette = building<Given<'data imagenette'>>(buildImagenette);
export const tifs = building<Given<'data tifs'>>(buildTifs);
export const folder = building<Given<'data folder'>>(buildFolder);

type Followed = Pick<ImagenetteOptions, 'signal' | 'onProgress' | 'onDownload'>;

/** A command that runs a build with a progress bar; Ctrl-C stops it where it can go on later. */
function building<Options>(build: (options: Options & Followed) => Promise<string>) {
  return async (options: Options): Promise<void> => {
    let bar: ProgressBar | undefined;
    let shown: string | undefined;
    const show = (what: ProgressOptions, done: number) => {
      if (shown !== what.label) {
        bar?.close();
        bar = progress(what);
        shown = what.label;
      }
      bar?.advance(done - bar.done);
    };
    const place = await build({
      ...options,
      signal: stopSignal(),
      onDownload(done, total) {
        const megabytes = (bytes: number) => Math.floor(bytes / 1e6);
        show({ label: 'download', unit: 'MB', total: total && megabytes(total) }, megabytes(done));
      },
      onProgress({ done, total, problems }) {
        show({ label: 'images', unit: 'images', total }, done);
        if (problems > 0) bar?.note(`${problems} problems`);
      },
    }).finally(() => bar?.close());
    const manifest = join(place, 'manifest.json');
    const { leftOut } = JSON.parse(readFileSync(manifest, 'utf8')) as { leftOut: readonly string[] };
    const told = `${leftOut.length} ${leftOut.length === 1 ? 'thing is' : 'things are'} left out`;
    console.log(
      `Built ${place}.${leftOut.length > 0 ? ` ${told}: "leftOut" in ${manifest} says what and why.` : ''}`,
    );
  };
}
