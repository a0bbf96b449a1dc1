/** `report`: measures how robust a network is. */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { openFolder } from '../data/build/folder';
import { IMAGENET, normalisationOf } from '../data/dataset';
import { robustnessReport } from '../evaluation/report';
import { type RobustnessReport, reportSummary } from '../evaluation/report-measures';
import { ArgumentError, DataError } from '../io/errors';
import { makeFolder, writeWhole } from '../io/files';
import { checkWhole } from '../io/options';
import { resNetFrom } from '../model/weights';
import { progress } from '../notebook/progress';
import { reportHeatMap } from '../plots/heat-maps';
import { reliabilityFigure, reportPage, reportTable, subjectText, summaryTable } from '../plots/report';
import { runTitle } from '../runs/spec';
import type { Given } from './commands';
import { runNetwork } from './run';
import { stopSignal } from './stop';
import { findRun } from './store';
import { printJson } from './text';

/** Measures a network, or resumes an unfinished measurement, and writes the report. */
export async function report(options: Given<'report'>): Promise<void> {
  const { out, images, seed, restarts, json } = options;
  const baseline = options.baseline === undefined ? undefined : readReport(options.baseline);
  const signal = stopSignal();
  const { network, ...subject } = await subjectOf(options, signal);
  if (images !== undefined) checkWhole('--images', images, 1, subject.dataset.test.length);
  makeFolder(out);
  const bar = progress({ label: subject.name, unit: 'strengths' });
  const measured = await robustnessReport({
    network,
    ...subject,
    images,
    seed,
    restarts,
    signal,
    baseline,
    file: join(out, 'report.jsonl'),
    onRow: ({ distortion }, done, total) => {
      bar.advance(done - bar.done);
      bar.note(`of ${total}: ${distortion}`);
    },
  }).finally(() => {
    bar.close();
    network.dispose();
  });
  const names = ['report.json', 'report.html', 'report.csv', 'heat-map.svg', 'reliability.svg'];
  const files = names.map((name) => join(out, name));
  writeWhole(files[0], `${JSON.stringify(measured, undefined, 1)}\n`);
  writeWhole(files[1], await reportPage(measured, baseline));
  await reportTable(measured).save(files[2]);
  await reportHeatMap(measured).save(files[3]);
  await reliabilityFigure(measured).save(files[4]);
  if (json) return printJson({ ...reportSummary(measured, baseline), files });
  console.log(
    `${subjectText(measured)}\n\n${summaryTable(measured, baseline).toText()}\n\n${reportHeatMap(measured).text}`,
  );
}

/** Returns the network to measure, its pictures and its name. */
async function subjectOf(options: Given<'report'>, signal: AbortSignal) {
  const { run, weights, normalise, data, store } = options;
  if (run !== undefined) {
    if (weights !== undefined || normalise !== undefined) {
      throw new ArgumentError('report: expected --run, or --weights with --normalise, but got both.', {
        cure: 'A run has weights and a normalisation of its own.',
      });
    }
    const { record, laboratory } = findRun(run, { data, store, signal });
    const name = `${runTitle(record.spec)}, seed ${record.spec.seed}`;
    const dataset = laboratory.datasetOf(record.spec);
    return { name, dataset, network: await runNetwork(record, laboratory) };
  }
  if (weights === undefined) {
    throw new ArgumentError('report: expected --run or --weights, but got neither.');
  }
  if (data === undefined) {
    throw new ArgumentError('report: --weights needs --data.', {
      cure: 'Weights do not say which pictures they are for.',
    });
  }
  const own = openFolder(data);
  const network = resNetFrom(weights);
  const none = { mean: [0, 0, 0], deviation: [1, 1, 1] } as const;
  const told = normalise ? { imagenet: IMAGENET, data: own, none }[normalise] : network.normalisation;
  if (told === undefined) {
    throw new ArgumentError('report: --weights needs --normalise.', {
      cure: 'These weights, unlike those that are saved here, do not say what their images were normalised with.',
    });
  }
  const { normalisation = told } = network;
  if (!isDeepStrictEqual(normalisationOf(normalisation), normalisationOf(told))) {
    network.dispose();
    throw new ArgumentError(`report: these weights state another normalisation than ${normalise}.`, {
      cure: 'Leave --normalise out.',
    });
  }
  const name = basename(weights, '.safetensors');
  return { name, dataset: { ...own, ...normalisationOf(told) }, network };
}

/** Reads a report.json. @throws DataError if it is no report */
function readReport(file: string): RobustnessReport {
  let value: Partial<RobustnessReport> = {};
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  if (value.format === 1 && value.rows !== undefined && value.dataset !== undefined)
    return value as RobustnessReport;
  throw new DataError(`${file} is no robustness report.`, {
    cure: 'A baseline is the report.json that this command wrote for another network.',
  });
}
