/** How accurate the networks of the study `after` are on corrupted pictures, over their seeds. */
import { type Corruption, corruptions, distortionNamed, isNone } from '../distortions';
import { type EvaluationRow, Z } from '../evaluation/evaluate';
import { CLEAN, type CountedReport, type Measured, reportSummary } from '../evaluation/report-measures';
import { Markdown } from '../notebook/mime';
import type { Laboratory } from '../runs/laboratory';
import { isTest, type RunRecord, type RunResult, TEST_SEED, testedRows } from '../runs/run-store';
import { runTitle } from '../runs/spec';
import { pointsText } from './claims';
import {
  type Direction,
  decide,
  directions,
  GAIN,
  mean,
  twoWayResiduals,
  type Uncertain,
} from './claims/statistics';
import { SettingCurves, seedsText } from './panel-curves';
import { studyOf } from './studies';

/** A treatment's runs, one for each seed, that were tested on all fifteen corruptions of the benchmarks. */
interface TreatmentRuns {
  /** As in the paper's legends: `ST (σ=0.215, α=10)`. */
  readonly label: string;
  readonly runs: readonly RunRecord[];
  /** One for each run. */
  readonly reports: readonly CountedReport[];
}

const measureNames = ['clean', 'corrupted', 'mCE', 'relativeMCE'] as const;

/** A treatment of the study `after`, over its seeds. */
export interface CorruptedTreatment extends TreatmentRuns {
  /** The counts of all seeds added up, as `gainHeatMap` takes them. */
  readonly report: CountedReport;
  /**
   * The measures of `reportSummary`, averaged over the seeds; errors are divided by those of the baseline of the same seed.
   * The 95 % intervals cover the choice of images and, from two seeds on, that of seeds, pooled over the treatments.
   */
  readonly measures: Readonly<Partial<Record<(typeof measureNames)[number], Measured>>>;
}

/** Returns the computed treatments of the study `after`, the baseline first. */
export function corruptedTreatments(laboratory: Laboratory): readonly CorruptedTreatment[] {
  const all = testedIn(laboratory);
  const summaries = all.map((one) => paired(one, all[0]).map(([own, base]) => reportSummary(own, base)));
  const measured = measureNames.map((name) =>
    means(summaries.map((seeds) => seeds.flatMap((summary) => summary[name] ?? []))).map((found) => {
      const { images, seeds } = found.variance;
      const variance = { images, seeds: Number.isFinite(seeds) ? seeds : 0 };
      const { low, high } = decide({ ...found, variance }, GAIN);
      return [name, { value: found.value, low, high }] as const;
    }),
  );
  return all.map((one, at) => {
    const found = measured.map((values) => values[at]).filter(([, { value }]) => !Number.isNaN(value));
    return { ...one, report: together(one.reports), measures: Object.fromEntries(found) };
  });
}

/**
 * Says which treatments of the study `after` surely make fewer or more errors on corrupted pictures than the control, paired
 * by seed and corrected for their number (Holm); then under which corruptions each gains most and least over the baseline.
 * The control is the baseline trained for as many further epochs, without a method.
 */
export function corruptionFindings(laboratory: Laboratory): Markdown {
  const [baseline, ...others] = testedIn(laboratory);
  const control = others.find(({ runs }) => runs[0].spec.method.kind === 'control');
  if (baseline === undefined || control === undefined) return new Markdown('Not computed.');
  const methods = others.filter((one) => one !== control && paired(one, control).length > 0);
  const errors = methods.map((one) =>
    paired(one, control).map(
      ([own, other]) => reportSummary(own, other).mCE ?? { value: 1, low: 1, high: 1 },
    ),
  );
  const fewer = means(errors).map(({ value, ...rest }) => ({ ...rest, value: 1 - value }));
  const verdicts = directions(fewer.map((one) => decide(one, GAIN)));
  const texts = methods.map(({ label }, at) => `${label} ${pointsText(-fewer[at].value)}`);
  const listed = (verdict: Direction) =>
    texts.filter((_, at) => verdicts[at] === verdict).join(', ') || 'none';
  const lines = [
    `Errors on corrupted pictures, ${seedsText(control)}, in points of mCE with the control at 100 %. **Fewer:** ${listed('better')}. **More:** ${listed('worse')}. **Undecided:** ${listed('undecided')}.`,
    ...others.map((one) => gainsText(one, baseline)),
  ];
  return new Markdown(lines.map((line) => `- ${line}`).join('\n'));
}

/** `**JSD (severity=3, α=12)**, beside the baseline: most under Fog (+5.1) and Contrast (+4.0), least under Snow (−0.3).` */
function gainsText({ label, reports }: TreatmentRuns, baseline: TreatmentRuns): string {
  const [own, base] = [reports, baseline.reports].map(together);
  const meanOf = ({ rows }: CountedReport, name: string) =>
    mean(rows.filter(({ distortion }) => distortion === name).map(({ correct, total }) => correct / total));
  const texts = corruptions
    .map(({ name, title }) => ({ title, gain: meanOf(own, name) - meanOf(base, name) }))
    .filter(({ gain }) => !Number.isNaN(gain))
    .sort((one, other) => other.gain - one.gain)
    .map(({ title, gain }) => `${title} (${pointsText(gain)})`);
  return `**${label}**, beside the baseline: most under ${texts[0]} and ${texts[1]}, least under ${texts.at(-1)}.`;
}

function testedIn(laboratory: Laboratory): readonly TreatmentRuns[] {
  const { preset, results } = laboratory.shown();
  const settings = new SettingCurves({ results, preset, test: 'gaussian-noise', strengths: [] });
  const all = studyOf('after').map(({ treatment }): TreatmentRuns => {
    const found = (settings.of(treatment)?.runs ?? []).flatMap((run) => {
      const report = corruptionReport(results.get(run.id) as RunResult);
      return report === undefined ? [] : [{ run, report }];
    });
    const [runs, reports] = [found.map(({ run }) => run), found.map(({ report }) => report)];
    return { label: runTitle(treatment), runs, reports };
  });
  return all.filter((one) => paired(one, all[0]).length > 0);
}

function corruptionReport({ record, rows }: RunResult): CountedReport | undefined {
  const { spec } = record;
  const tests = rows.filter((row) => isTest(spec, row));
  const clean = tests.find(({ distortion, strength }) => isNone(distortionNamed(distortion), strength));
  const corrupted = tests.filter(({ distortion }) => corruptions.some(({ name }) => name === distortion));
  const row = testedRows(spec, corrupted);
  const isWhole = ({ name, testGrid, isExtra }: Corruption) =>
    isExtra || testGrid.slice(1).every((strength) => row({ distortion: name, strength }) !== undefined);
  if (clean === undefined || !corruptions.every(isWhole)) return undefined;
  const { name, digest = '', test: images } = spec.dataset;
  return {
    network: runTitle(spec),
    dataset: { name, digest, images },
    seed: TEST_SEED,
    rows: [{ ...clean, ...CLEAN }, ...corrupted],
  };
}

/** Pairs the reports of two treatments by the seeds that both have. */
function paired(one: TreatmentRuns, other: TreatmentRuns) {
  return one.runs.flatMap(({ spec }, at) => {
    const place = other.runs.findIndex((run) => run.spec.seed === spec.seed);
    return place < 0 ? [] : [[one.reports[at], other.reports[place]] as const];
  });
}

/** Adds up the counts of several seeds, for the tests that all of them have. */
function together([first, ...others]: readonly CountedReport[]): CountedReport {
  const rows = first.rows.flatMap(({ distortion, strength, seed, correct, total }): EvaluationRow[] => {
    const same = others.map(({ rows }) =>
      rows.find((row) => row.distortion === distortion && row.strength === strength),
    );
    if (!same.every((row) => row !== undefined)) return [];
    const all = [{ correct, total }, ...same];
    const sumOf = (count: 'correct' | 'total') => all.reduce((sum, row) => sum + row[count], 0);
    return [{ distortion, strength, seed, correct: sumOf('correct'), total: sumOf('total') }];
  });
  return { ...first, rows };
}

/**
 * Averages over seeds. The variance of seeds is pooled over all treatments: what is left once the means of treatments and
 * seeds are removed (one network's errors divide all of a seed). It counts twice, since that network varies as well.
 */
function means(all: readonly (readonly Measured[])[]): readonly Uncertain[] {
  const values = all.map((seeds) => seeds.map(({ value }) => value));
  const most = Math.max(0, ...values.map(({ length }) => length));
  const whole = values.filter(({ length }) => length === most);
  const { squares, freedom } = most > 1 ? twoWayResiduals(whole) : { squares: 0, freedom: 0 };
  const ofSeeds = freedom > 0 ? (2 * squares) / freedom : Number.POSITIVE_INFINITY;
  return all.map((seeds, at) => {
    // An upper bound: all seeds are tested on the same images.
    const images = mean(seeds.map(({ low, high }) => ((high - low) / (2 * Z)) ** 2));
    const isByItself = images < 1e-20; // errors divided by themselves, the same with every seed
    return {
      value: mean(values[at]),
      variance: { images, seeds: isByItself ? 0 : ofSeeds / seeds.length },
      freedom: freedom > 0 ? freedom : 1e6,
    };
  });
}
