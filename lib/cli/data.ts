/** `data`: data sets are built. */
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
    let leftOut = 0;
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
        leftOut = problems;
        if (problems > 0) bar?.note(`${problems} problems`);
      },
    }).finally(() => bar?.close());
    const problems = `${leftOut} problem${leftOut === 1 ? '' : 's'}`;
    console.log(
      `Built ${place}.${leftOut > 0 ? ` ${problems}: "leftOut" in its manifest.json lists what is left out.` : ''}`,
    );
  };
}
