/** Says what a figure shows, in sentences whose numbers come from run records. */
import { distortionNamed, distortions, strengthText } from '../distortions';
import { Markdown } from '../notebook/mime';
import type { Laboratory } from '../runs/laboratory';
import { BASELINE, type Preset } from '../runs/presets';
import type { Results } from '../runs/run-store';
import { pointsText } from './claims';
import { best, type Comparison, Evidence, type Finding, type Row, runs, type Where } from './claims/evidence';
import { type Direction, directions, holm, wouldDecide } from './claims/statistics';
import { type Family, type FigureName, type Panel, panelsOf, panelTitle } from './figures';
import { accuracyAt, curvesOn } from './panel-curves';

/** A method with one training distortion, and its families in the panel. */
interface Contender {
  /** `ST`; in a panel with several training distortions, `ST on FGSM`. */
  readonly name: string;
  readonly families: readonly Family[];
}

/** A test strength at which gains are reported. */
interface Place {
  /** `at the practical σ=0.05` */
  readonly words: string;
  /** `σ=0.05` */
  readonly short: string;
  readonly where: Where;
  /** Set at the strong place only: its strength, for which the best chosen there are reported, too. */
  readonly strong?: number | null;
}

/** A comparison at one place, as the sentences report it. */
interface Told extends Comparison {
  readonly place: Place;
  /** The method, `control` or `ST − DA`. */
  readonly name: string;
  /** What is compared: in `between`, the best ST with the best DA; otherwise a curve with the baseline. */
  readonly kind: 'best' | 'chosen there' | 'between' | 'control';
  /** Corrected for the number of comparisons in the panel (Holm). */
  readonly verdict: Direction;
}

/**
 * Says what the panels of a figure show at one preset or several: gains over the baseline at the practical strength, at a
 * strong one and without distortion; ST against DA; losses on clean pictures; what is undecided. Names panels without runs.
 */
export function findings(figure: FigureName, laboratories: Laboratory | readonly Laboratory[]): Markdown {
  const texts = [laboratories].flat().flatMap((laboratory) => {
    const { preset, results } = laboratory.shown();
    const evidence = new Evidence(preset, results);
    const told = panelsOf(figure).map((panel) => ({
      id: panel.id,
      text: findingOf(panel, preset, results, evidence),
    }));
    const without = told.filter(({ text }) => text === undefined).map(({ id }) => id);
    const end = `**${listed(without)}, at \`${preset.name}\`.** Not computed: see the table of runs.`;
    return [...told.flatMap(({ text }) => text ?? []), ...(without.length > 0 ? [end] : [])];
  });
  return new Markdown(texts.join('\n\n'));
}

/** Says what one panel shows at a preset, in Markdown; undefined until all runs of a method are computed. */
export function findingOf(
  panel: Panel,
  preset: Preset,
  results: Results,
  evidence = new Evidence(preset, results),
): string | undefined {
  const missing = new Set<string>();
  const find = (row: Row): Finding => {
    const found = evidence.find(panel.id, [row]);
    if (typeof found !== 'string') return found;
    missing.add(found.replace(/ missing: .*/, ' missing.'));
    return [];
  };
  const contenders = contendersOf(panel);
  const [stability, augmented] = (['ST', 'DA'] as const).map((kind) =>
    contenders
      .flatMap(({ families }) => families)
      .filter(({ method, training }) => method.startsWith(kind) && training === panel.training[0]),
  );
  const places = placesOf(panel, preset, results);
  const compared = places.flatMap((place) => {
    const { where, strong } = place;
    const found = (kind: Told['kind'], name: string, row: Row) =>
      find(row).map((one) => ({ ...one, place, name, kind }));
    const bests = (kind: Told['kind'], chosenAt?: number) =>
      contenders.flatMap(({ name, families }) =>
        found(kind, name, [best(families, chosenAt), 'above on average', 'baseline', where]),
      );
    return [
      ...bests('best'),
      ...(typeof strong === 'number' ? bests('chosen there', strong) : []),
      ...found('between', 'ST − DA', [best(stability), 'above on average', best(augmented), where]),
      ...found('control', 'control', ['control', 'above on average', 'baseline', where]),
    ];
  });
  const lost = contenders.map(({ name, families }) => ({
    name,
    all: find([runs(families), 'above on average', 'baseline', 'none']),
  }));

  const verdicts = directions(compared);
  const told = compared.map((one, at): Told => ({ ...one, verdict: verdicts[at] }));
  const of = (kind: Told['kind']) => told.filter((one) => one.kind === kind);
  if (of('best').length === 0) return undefined;
  const open = told.filter(({ verdict }) => verdict === 'undecided').length;
  const points = [
    gainSentences(places, of('best')).join(' '),
    chosenSentence(of('chosen there')),
    betweenSentence(of('between'), told.length),
    forgettingSentence(lost),
    `Undecided after correction for the number of comparisons: ${open === told.length ? `all ${open}` : `${open} of the ${told.length}`} differences.`,
    missing.size > 0 && `Not computed: ${[...missing].join(' ')}`,
  ];
  const head = `**${panel.id}, ${panelTitle(panel)}, at \`${preset.name}\`.**`;
  const list = points.filter(Boolean).map((point) => `- ${point}`);
  return [head, list.join('\n'), gainTable(places, told)].join('\n\n');
}

/** Lists the methods of a panel in the order of its legend, without DA20 and curves chosen at another strength. */
function contendersOf({ curves }: Panel): readonly Contender[] {
  const usual = curves.filter(({ pick, at, extended }) => pick === 'best' && at === undefined && !extended);
  const trainings = new Set(usual.map(({ training }) => training));
  const contenders = new Map<string, Family[]>();
  for (const { pick: _, ...family } of usual) {
    const on = trainings.size > 1 ? ` on ${distortionNamed(family.training).title}` : '';
    const name = `${family.method}${on}`;
    contenders.set(name, [...(contenders.get(name) ?? []), family]);
  }
  return [...contenders].map(([name, families]) => ({ name, families }));
}

/** Lists the practical strength, a strong one (at which half of the baseline's accuracy above chance is lost), and none. */
function placesOf(panel: Panel, preset: Preset, results: Results): readonly Place[] {
  const distortion = distortions[panel.test];
  const { none, practical } = distortion;
  const there = curvesOn(panel, preset, results);
  const { strengths } = there.source;
  const baseline = there.of(BASELINE);
  const stronger = strengths.slice(strengths.indexOf(practical) + 1);
  const halved = stronger.find(
    (one) => baseline && accuracyAt(baseline, one) < (1 / preset.classes + accuracyAt(baseline, none)) / 2,
  );
  const strong = halved ?? stronger.at(-1) ?? practical;
  const lost = 'where the baseline has lost at least half of what it had above chance';
  const why = halved === undefined ? 'the strongest' : lost;
  const [usual, hard] = [practical, strong].map((strength) => strengthText(distortion, strength));
  return [
    { words: `at the practical ${usual}`, short: usual, where: 'practical' },
    { words: `at ${hard} (${why})`, short: hard, where: (strength) => strength === strong, strong },
    { words: 'without distortion', short: 'undistorted', where: 'none' },
  ];
}

/** `At the practical ρ=30°, ST (+13.5) surely gains over the baseline.` Places with equal findings share a sentence. */
function gainSentences(places: readonly Place[], bests: readonly Told[]): readonly string[] {
  const wordsOf = new Map<string, string[]>();
  for (const place of places) {
    const those = (wanted: Direction, verb: string, preposition: string) => {
      const names = bests
        .filter((one) => one.place === place && one.verdict === wanted)
        .map(({ name, estimate }) => `${name} (${pointsText(estimate.value)})`);
      return (
        names.length > 0 && `${listed(names)} surely ${verb}${names.length > 1 ? '' : 's'} ${preposition}`
      );
    };
    const sure = [those('better', 'gain', 'over'), those('worse', 'lose', 'against')].filter(Boolean);
    const differs = sure.length > 0 ? sure.join(' and ') : 'no method’s best setting surely differs from';
    const said = `${differs} the baseline`;
    wordsOf.set(said, [...(wordsOf.get(said) ?? []), place.words]);
  }
  return [...wordsOf].map(
    ([said, words]) => `${listed(words).replace(/^./, (first) => first.toUpperCase())}, ${said}.`,
  );
}

/** `With the best settings chosen at σ=0.5 instead: ST (σ=1, α=10) **+20.1** (+15.3 to +24.9); …`. */
function chosenSentence(chosen: readonly Told[]): string | false {
  const each = chosen.map((one) => {
    const setting = one.sides?.[0].replace(/^best |, chosen at .*?(?= \()/g, '') ?? one.name;
    const value = pointsText(one.estimate.value);
    const isOpen = one.verdict === 'undecided';
    return `${setting} ${isOpen ? value : `**${value}**`}${intervalText(one)}${isOpen ? ', undecided' : ''}`;
  });
  return (
    each.length > 0 &&
    `With the best settings chosen at ${chosen[0].place.short} instead: ${each.join('; ')}.`
  );
}

/** ` (+1.2 to +3.4)` */
function intervalText({ low, high }: Comparison): string {
  return ` (${Number.isFinite(low) ? `${pointsText(low)} to ${pointsText(high)}` : 'one seed, no interval'})`;
}

/** Says where the best ST is ahead of the best DA or behind it, and what would decide the rest; `among` counts differences. */
function betweenSentence(all: readonly Told[], among: number): string {
  const said = { better: 'surely ahead', worse: 'surely behind', undecided: 'undecided' };
  const parts = (Object.keys(said) as Direction[]).flatMap((direction) => {
    const here = all
      .filter(({ verdict }) => verdict === direction)
      .map(({ place: { short, where }, estimate }) => {
        const at = where === 'none' ? 'on undistorted pictures' : `at ${short}`;
        const decider = wouldDecide(estimate, estimate.value, among);
        const by = pointsText(estimate.value);
        if (direction !== 'undecided') return `${at} (${by})`;
        return `${at} (${by}; ${decider ? `${decider.wouldDecide} would decide` : 'a tie'})`;
      });
    return here.length > 0 ? [`${said[direction]} ${listed(here)}`] : [];
  });
  return parts.length > 0 ? `Best ST against best DA: ${parts.join('; ')}.` : '';
}

/** Says which settings are surely below the baseline without distortion, corrected for their number (Holm). */
function forgettingSentence(lost: readonly { readonly name: string; readonly all: Finding }[]): string {
  const there = lost.filter(({ all }) => all.length > 0);
  const every = there.flatMap(({ all }) => all);
  const sure = holm(every.map(({ pBroken }) => pBroken));
  const forgetful = every.filter((_, at) => sure[at]);
  if (forgetful.length === 0)
    return `None of the ${every.length} settings surely loses accuracy on clean pictures.`;
  const counts = there.map(
    ({ name, all }) => `${all.filter((one) => forgetful.includes(one)).length} of ${all.length} of ${name}`,
  );
  const [most] = forgetful.toSorted((a, b) => a.estimate.value - b.estimate.value);
  return `Settings that surely lose accuracy on clean pictures: ${listed(counts)}; ${most.sides?.[0]} loses most (${pointsText(most.estimate.value)}).`;
}

/** Lists differences: a row for each method, for ST against DA and for the control; a column for each place; bold if sure. */
function gainTable(places: readonly Place[], told: readonly Told[]): string {
  const columns = places.map((place) =>
    told.filter((one) => one.place === place && one.kind !== 'chosen there'),
  );
  const cell = (one: Told) => {
    const value = pointsText(one.estimate.value);
    return `${one.verdict === 'undecided' ? value : `**${value}**`}${intervalText(one)}`;
  };
  const row = (one: Told, at: number) => {
    const label = one.kind === 'between' ? 'best ST − best DA' : `${one.sides?.[0]} − baseline`;
    const seeds = new Set(columns.map((column) => column[at].estimate.seeds.length));
    return `| ${label} | ${[...seeds].join(', ')} | ${columns.map((column) => cell(column[at])).join(' | ')} |`;
  };
  return [
    `| difference, points | seeds | ${places.map(({ short }, at) => (at === 0 ? `${short}, practical` : short)).join(' | ')} |`,
    `|---|---|${places.map(() => '---').join('|')}|`,
    ...columns[0].map(row),
  ].join('\n');
}

/** `a, b and c`. */
const listed = (names: readonly string[]) => new Intl.ListFormat('en-GB').format(names);
