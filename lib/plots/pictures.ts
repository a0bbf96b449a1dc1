import type { ImageDataset } from '../data/dataset';
import { distortionNamed, distortions, type Strength, strengthText } from '../distortions';
import { checkFinite, checkFits } from '../evaluation/checks';
import { normalise } from '../evaluation/crops';
import { distortedImages } from '../evaluation/pictures';
import { DataError } from '../io/errors';
import type { Network } from '../model/network';
import { Markdown } from '../notebook/mime';
import type { FigureName } from '../paper/figures';
import { choose, figureCurves, type SettingCurve, SettingCurves } from '../paper/panel-curves';
import { thinned } from '../paper/thinned';
import type { Laboratory } from '../runs/laboratory';
import { BASELINE, type Treatment } from '../runs/presets';
import { type Tensor2D, type Tensor4D, tf } from '../tensorflow';
import { methodName } from '../training/methods';
import { type ImageGrid, imageGrid } from './images';
import { liveChart } from './training-chart';

/** Which images a strip shows, and at which strengths of a distortion. */
export interface StripOptions {
  readonly dataset: ImageDataset;
  /** Name of the distortion. */
  readonly distortion: string;
  /** Default: about seven of the test grid, including the practical one. */
  readonly strengths?: readonly Strength[];
  /** Indices of the test images. Default: the first four of different classes. */
  readonly images?: readonly number[];
  /** The network that is attacked, for FGSM and PGD. */
  readonly network?: Network;
}

/** Shows test images at rising strengths of a distortion, a row for each, exactly as networks are tested with them. */
export async function distortionStrip(options: StripOptions): Promise<ImageGrid> {
  const { dataset, network, images = ofDifferentClasses(dataset, 4) } = options;
  const distortion = distortionNamed(options.distortion);
  const { testGrid, practical } = distortion;
  const { strengths = thinned(testGrid, Math.ceil(testGrid.length / 6), [practical]) } = options;
  const columns: Tensor4D[] = [];
  for (const strength of strengths)
    columns.push(await distortedImages({ dataset, indices: images, distortion, strength, network }));
  const side = dataset.cropSide;
  const rows = tf.tidy(() => tf.stack(columns, 1).reshape([-1, side, side, 3]) as Tensor4D);
  const captions = strengths.map((strength) => strengthText(distortion, strength).replaceAll(', ', '\n'));
  const blank = Array<string>((images.length - 1) * strengths.length).fill('');
  const grid = imageGrid(rows, { columns: strengths.length, captions: [...blank, ...captions] });
  tf.dispose([rows, ...columns]);
  return grid;
}

/**
 * Shows distorted test images with the predictions of networks: the top-1 class, its probability, and whether it is right. An
 * attack targets each network itself; the picture shown is the one that attacks the first. If the laboratory's pictures are
 * missing, says how to get them.
 *
 * @param of Networks by the names to show; or treatments, whose networks are loaded for this; or a figure: the baseline, and
 *   the best DA and ST of its first panel if their settings are complete, of those with weights on disk if there are any.
 * @param options.images Indices of the test images. Default: the first of each class, eight at most.
 */
export async function answersGrid(
  laboratory: Laboratory,
  of: FigureName | readonly Treatment[] | Readonly<Record<string, Network>>,
  options: Pick<StripOptions, 'images'> & { readonly distortion: string; readonly strength: Strength },
): Promise<ImageGrid | Markdown> {
  const pictures: Tensor4D[] = [];
  try {
    const { dataset } = laboratory;
    const { strength, images = ofDifferentClasses(dataset, 8) } = options;
    if (images.length === 0) return new Markdown('There are no such pictures.');
    const distortion = distortionNamed(options.distortion);
    const labels = images.map((image) => dataset.test.labels[image]);
    const captions = labels.map((label) => [dataset.classNames[label]]);
    for await (const { name, network, isOurs } of networksOf(of, laboratory)) {
      checkFits(network, dataset);
      const shown = await distortedImages({ dataset, indices: images, distortion, strength, network });
      pictures.push(shown);
      const answers = tf.tidy(() => {
        const logits: Tensor2D = network.forward(normalise(shown, dataset), { training: false });
        return logits.softmax().arraySync() as number[][]; // [images, classes]
      });
      if (isOurs) network.dispose();
      checkFinite(answers.flat().every(Number.isFinite));
      for (const [at, answer] of answers.entries()) {
        const most = Math.max(...answer);
        const choice = answer.indexOf(most);
        const said = `${dataset.classNames[choice]} ${Math.round(100 * most)} %`;
        captions[at].push(`${name}: ${said} ${choice === labels[at] ? '✓' : '✗'}`);
      }
    }
    return imageGrid(pictures[0], {
      captions: captions.map((lines) => lines.join('\n')),
      columns: 4,
      scale: Math.max(1, Math.round(140 / dataset.cropSide)),
    });
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return new Markdown(
      `The data set of the preset ${laboratory.preset.name} is missing. ${error.cure ?? error.message}`,
    );
  } finally {
    tf.dispose(pictures);
  }
}

async function* networksOf(
  of: Parameters<typeof answersGrid>[1],
  laboratory: Laboratory,
): AsyncGenerator<{ readonly name: string; readonly network: Network; readonly isOurs: boolean }> {
  if (typeof of !== 'string' && !isList(of)) {
    for (const [name, network] of Object.entries(of)) yield { name, network, isOurs: false };
    return;
  }
  for (const treatment of isList(of) ? of : bestOf(of, laboratory)) {
    const { onEnd, ...chart } = liveChart(treatment); // in case the network must be trained first
    const network = await laboratory.network(await laboratory.run(treatment, chart), chart);
    yield { name: methodName(treatment.method), network, isOurs: true };
  }
}

const isList: (value: unknown) => value is readonly unknown[] = Array.isArray;

function bestOf(figure: FigureName, laboratory: Laboratory): readonly Treatment[] {
  const { preset, results } = laboratory.shown();
  const [{ panel, curves }] = figureCurves(figure, laboratory);
  const { test } = panel;
  const there = new SettingCurves({ results, preset, test, strengths: [distortions[test].practical] });
  const isHere = ({ runs }: SettingCurve) =>
    runs.some(({ id, spec }) => spec.seed === laboratory.seed && laboratory.store.weights(id) !== undefined);
  const best = ['DA', 'ST'].flatMap((kind) => {
    const [rule] = curves.flatMap(({ rule }) =>
      typeof rule === 'object' && rule.method === kind ? rule : [],
    );
    if (rule === undefined) return [];
    const settings = there.ofFamily(rule).curves;
    const here = settings.filter(isHere);
    return choose(here.length > 0 ? here : settings, { pick: 'best' }, test).treatment;
  });
  return [BASELINE, ...best];
}

function ofDifferentClasses({ test: { labels } }: ImageDataset, count: number): readonly number[] {
  return [...labels.keys()].filter((image) => labels.indexOf(labels[image]) === image).slice(0, count);
}
