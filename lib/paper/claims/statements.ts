/** What the paper's text says of its figures: 29 statements, and what each compares. */
import { type DistortionName, distortionNamed, distortions } from '../../distortions';
import { type Family, type Panel, panels } from '../figures';
import {
  type Evidence,
  every,
  FAR,
  type Finding,
  inEach,
  MARGIN,
  MARGINAL,
  NARROWER,
  type NamedCurve,
  type Strengths,
  View,
} from './evidence';

/** "Near" the practical strength: weaker or stronger by this factor at most. */
const NEAR = 2;
/** FGSM: low intensities are those up to the practical ε; mid ones the decade below the extreme; high ones above it. */
const LOW_EPSILON = 0.001;
const MID_EPSILON = { from: 0.01, to: 0.1 } as const;
/** The extreme ε of section 5, at which models are selected a second time. */
const EXTREME_EPSILON = 0.1;
/** Rotation: mid to high intensities are those from twice the practical angle on. */
const MID_ANGLE = 60;

/** A sentence of the paper about its results. */
export interface PaperClaim {
  /** 1 to 29, in the order of the text but for the last, which is section 2's. */
  readonly id: number;
  /** Panels whose curves decide, as {@link Panel.id}; none for what is no curve. */
  readonly panels: readonly string[];
  /** What is claimed, in short. */
  readonly statement: string;
  /** Where the paper says so: section, figure, and how the sentence begins. */
  readonly place: string;
  /** What is compared, and over which strengths. */
  readonly rule: string;
  /** The comparisons; memory, which is no accuracy, has none. */
  readonly check?: (evidence: Evidence) => Finding | { readonly finding: Finding; readonly note: string };
}

/** Chosen on the test images, as in the paper: of more settings the best is the luckier one. */
const BESTS = 'The best of each, of three settings a strength for ST and two for DA';
const ABOVE = 'Above on average, and at no strength surely below by more than a point.';
const pointsOf = (fraction: number) => `${100 * fraction} point${fraction === 0.01 ? '' : 's'}`;

const st = (training: Family['training']): Family => ({ method: 'ST', training });
const sym = (training: Family['training']): Family => ({ method: 'ST-sym', training });
const da = (training: Family['training'], probability?: number): Family => ({
  method: 'DA',
  training,
  ...(probability !== undefined && { probability }),
});
const da20 = (training: Family['training']): Family => ({ ...da(training), extended: true });
const AT: Family = { method: 'AT', training: 'fgsm' };
const GAUSS = 'gaussian-noise';
const BOTH = 'rotation+gaussian-noise';

/** ST with the objectives the paper has for a training distortion: its panels' band. */
const stability = (training: Family['training']): readonly Family[] =>
  distortionNamed(training).category === 'noise' ? [st(training)] : [st(training), sym(training)];

/** Noise tests, each with the panels of noise training distortions that were tested with it. */
const NOISE_TESTS: readonly {
  readonly test: DistortionName;
  readonly st: readonly DistortionName[];
  readonly da: readonly DistortionName[];
}[] = [
  { test: GAUSS, st: [GAUSS, 'thumbnail'], da: [GAUSS, 'thumbnail'] },
  { test: 'jpeg', st: [GAUSS, 'thumbnail', 'jpeg'], da: [GAUSS, 'thumbnail', 'jpeg'] },
  { test: 'thumbnail', st: [GAUSS, 'thumbnail'], da: [GAUSS, 'thumbnail'] },
  { test: 'fgsm', st: [GAUSS, 'fgsm'], da: ['fgsm'] },
];

/** Panels in which training and test distortion are the same; JPEG is trained, but in no panel. */
const SAME = { [GAUSS]: '1a', thumbnail: 'S2c', fgsm: '2a', rotation: 'S3d', 'random-crop': 'S4e' } as const;
/** Panels in which they are of different categories. */
const CROSS = ['S1d', 'S1e', 'S2d', 'S2e', 'S3a', 'S3b', 'S3c', 'S4a', 'S4b', 'S4c'] as const;

export const claims: readonly PaperClaim[] = [
  {
    id: 1,
    panels: ['1a'],
    statement: 'DA with p=1 beats ST at the practical σ alone, and is worse elsewhere.',
    place: 'Section 5, Fig. 1a: “We observe in Fig. 1a that DA without reintroducing the reference image …”',
    rule: `${BESTS}: DA above ST at the practical σ, ST above DA where σ is more than ${NEAR} times weaker or stronger. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('1a');
      const [stability, augmented] = [view.best(st(GAUSS)), view.best(da(GAUSS, 1))];
      const { practical } = distortions[GAUSS];
      const elsewhere = view.where((sigma) => sigma < practical / NEAR || sigma > practical * NEAR);
      return every(
        view.above(augmented, stability, view.practical),
        view.above(stability, augmented, elsewhere),
      );
    },
  },
  {
    id: 2,
    panels: ['1a'],
    statement: 'The worst DA model with p=1 falls far below the baseline at σ=0: catastrophic forgetting.',
    place: 'Section 5, Fig. 1a: “Even more importantly, an unfavorable hyperparameter choice for DA …”',
    rule: `At least ${pointsOf(FAR)} below.`,
    check(evidence) {
      const view = evidence.panel('1a');
      return view.aboveOnAverage(view.baseline, view.worst(da(GAUSS, 1)), view.none, FAR);
    },
  },
  {
    id: 3,
    panels: ['1a'],
    statement: 'DA with p=0.5 is below DA with p=1 at the practical σ.',
    place: 'Section 5, Fig. 1a: “This issue can be mitigated to some degree by the reintroduction …”',
    rule: `${BESTS}. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('1a');
      return view.above(view.best(da(GAUSS, 1)), view.best(da(GAUSS, 0.5)), view.practical);
    },
  },
  {
    id: 4,
    panels: ['1a'],
    statement: 'Twice the epochs barely move DA’s best and lift its worst by a sizable amount.',
    place: 'Section 5, Fig. 1a: “It only marginally improves the best-performing result found at 10 epochs.”',
    rule: `At the practical σ, over both p: the best at most ${pointsOf(MARGIN)} apart, the worst at least ${pointsOf(FAR)} higher.`,
    check(evidence) {
      const view = evidence.panel('1a');
      return every(
        view.about(view.best(da20(GAUSS)), view.best(da(GAUSS)), view.practical),
        view.aboveOnAverage(view.worst(da20(GAUSS)), view.worst(da(GAUSS)), view.practical, FAR),
      );
    },
  },
  {
    id: 5,
    panels: ['1a'],
    statement: 'The ST band is considerably narrower than DA’s range, also after twice the epochs.',
    place: 'Section 5, Fig. 1a: “… the ST range as illustrated by the area shaded in gray in Fig. 1a …”',
    rule: `Mean width over all σ at most ${NARROWER} of DA’s, of the paper’s 10 epochs and of 20.`,
    check(evidence) {
      const view = evidence.panel('1a');
      const band = { what: 'the ST band', runs: view.runs(st(GAUSS)) };
      return every(
        view.narrower(band, { what: 'DA’s range', runs: view.runs(da(GAUSS)) }),
        view.narrower(band, { what: 'DA’s range after twice the epochs', runs: view.runs(da20(GAUSS)) }),
      );
    },
  },
  {
    id: 6,
    panels: ['1b'],
    statement: 'Thumbnail → JPEG: even DA’s best is below the baseline (by nearly 10 points in the paper).',
    place: 'Section 5, Fig. 1b: “Even the best possible model trained via data augmentation …”',
    rule: `At the practical q. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('1b');
      return view.above(view.baseline, view.best(da('thumbnail')), view.practical);
    },
  },
  {
    id: 7,
    panels: ['1b'],
    statement: 'Thumbnail → JPEG: no ST run is below the baseline.',
    place: 'Section 5, Fig. 1b: “ST, on the other hand, did not show any worsening impact.”',
    rule: `Every run, every q. Nowhere more than a point below.`,
    check(evidence) {
      const view = evidence.panel('1b');
      return view.noneBelow(view.runs(st('thumbnail')));
    },
  },
  {
    id: 8,
    panels: ['S1a', 'S1b', 'S1c', 'S2a', 'S2b', 'S2c', '2a'],
    statement: 'Whatever the noise in the test, ST does best trained with Gaussian noise.',
    place: 'Section 5: “In fact, for any test distortion in the noise category, ST performs best using …”',
    rule: `In each test, at its practical strength, its best is above the best of each other noise training distortion tested.`,
    check: (evidence) =>
      inEach(
        NOISE_TESTS.map(({ test, st: trainings }) => [
          distortions[test].title,
          () => bestWith(evidence.atPractical(test), st, GAUSS, trainings),
        ]),
      ),
  },
  {
    id: 9,
    panels: ['S1a', 'S1b', 'S1c', 'S2a', 'S2b', 'S2c'],
    statement: 'Whatever the noise in the test, DA does best trained with the same.',
    place: 'Section 5: “… while DA always favors coinciding training and test distortions.”',
    rule: `In each test with two training distortions or more (not FGSM), at its practical strength, its best is above the best of each other.`,
    check: (evidence) =>
      inEach(
        NOISE_TESTS.filter(({ da: trainings }) => trainings.length > 1).map(({ test, da: trainings }) => [
          distortions[test].title,
          () => bestWith(evidence.atPractical(test), da, test, trainings),
        ]),
      ),
  },
  {
    id: 10,
    panels: ['2a'],
    statement: 'FGSM: DA’s best is about the baseline.',
    place: 'Section 5, Fig. 2a: “… DA is unable to generalize at all, performing similar to baseline.”',
    rule: `At every ε at most ${pointsOf(MARGIN)} apart.`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.about(view.best(da('fgsm')), view.baseline);
    },
  },
  {
    id: 11,
    panels: ['2a'],
    statement: 'FGSM: ST’s best is above the baseline everywhere.',
    place: 'Section 5, Fig. 2a: “ST offers a significant improvement compared to baseline performance …”',
    rule: `Over all ε. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.gains(view.best(st('fgsm')));
    },
  },
  {
    id: 12,
    panels: ['2a'],
    statement: 'FGSM: AT gains little at low ε and passes ST in mid-range.',
    place: 'Section 5, Fig. 2a: “Standard adversarial training offers no to marginal improvements …”',
    rule: `AT’s best at most ${pointsOf(MARGINAL)} above the baseline, at ε ≤ ${LOW_EPSILON}; above ST’s best at ε from ${MID_EPSILON.from} to ${MID_EPSILON.to}. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      const adversarial = view.best(AT);
      const mid = view.where((epsilon) => epsilon >= MID_EPSILON.from && epsilon <= MID_EPSILON.to);
      return every(
        view.hardlyAbove(adversarial, view.baseline, lowEpsilons(view)),
        view.above(adversarial, view.best(st('fgsm')), mid),
      );
    },
  },
  {
    id: 13,
    panels: ['2a'],
    statement: 'Selected at ε=0.1, AT loses at low and gains at mid to high ε; ST hardly moves.',
    place: 'Section 5, Fig. 2a: “Here we see, that adversarial training sacrifices performance …”',
    rule: `Against the best at the practical ε: AT below at ε ≤ ${LOW_EPSILON} and above from ${MID_EPSILON.from} on; ST at every ε at most ${pointsOf(MARGIN)} apart. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      const [usual, extreme] = [view.best(AT), view.best(AT, EXTREME_EPSILON)];
      return every(
        view.above(usual, extreme, lowEpsilons(view)),
        view.above(
          extreme,
          usual,
          view.where((epsilon) => epsilon >= MID_EPSILON.from),
        ),
        view.about(view.best(st('fgsm'), EXTREME_EPSILON), view.best(st('fgsm'))),
      );
    },
  },
  {
    id: 14,
    panels: ['2a'],
    statement: 'FGSM: no ST run is below the baseline.',
    place: 'Section 5, Fig. 2a: “As the gray ST band indicates, ST performance never drops below …”',
    rule: `Every run, every ε. Nowhere more than a point below.`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.noneBelow(view.runs(st('fgsm')));
    },
  },
  {
    id: 15,
    panels: ['2a'],
    statement: 'ST trained with Gaussian noise beats the baseline under FGSM.',
    place: 'Section 5, Fig. 2a: “Interestingly, even ST with Gaussian noise leads to an increased …”',
    rule: `Its best, over all ε. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2a');
      return view.gains(view.best(st(GAUSS)));
    },
  },
  {
    id: 16,
    panels: ['3a'],
    statement: 'Rotation: ST-sym is above ST wherever there is rotation.',
    place: 'Section 5, Fig. 3a: “Across all intensity levels ρ > 0, the symmetrical objective …”',
    rule: `${BESTS}, over all ρ > 0. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3a');
      const turned = view.where((angle) => angle > 0);
      return view.above(view.best(sym('rotation')), view.best(st('rotation')), turned);
    },
  },
  {
    id: 17,
    panels: ['3a'],
    statement: 'Rotation: at ρ=0, ST is at or above ST-sym.',
    place: 'Section 5, Fig. 3a: “Even the increased performance of the original ST objective at ρ = 0 …”',
    rule: `${BESTS}. Nowhere more than a point below.`,
    check(evidence) {
      const view = evidence.panel('3a');
      return view.notBelow(view.best(st('rotation')), view.best(sym('rotation')), view.none);
    },
  },
  {
    id: 18,
    panels: ['3a'],
    statement: 'Rotation: DA with p=0.5 is below DA with p=1.',
    place: 'Section 5, Fig. 3a: “While the reintroduction of the reference image showed improvements …”',
    rule: `${BESTS}, over all ρ. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3a');
      return view.above(view.best(da('rotation', 1)), view.best(da('rotation', 0.5)));
    },
  },
  {
    id: 19,
    panels: ['3a'],
    statement: 'Rotation: up to the practical 30°, ST-sym is the best of all.',
    place: 'Section 5, Fig. 3a: “In the range up to rotations in the practical scenario, …”',
    rule: `Its best above every other curve of the panel, over 0 < ρ ≤ 30° (ρ=0 is claim 17’s). ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3a');
      const others = [
        view.best(st('rotation')),
        view.best(da('rotation', 1)),
        view.best(da('rotation', 0.5)),
      ];
      const range = view.where((angle) => angle > 0 && angle <= distortions.rotation.practical);
      return aboveAll(view, view.best(sym('rotation')), [...others, view.baseline, view.control], range);
    },
  },
  {
    id: 20,
    panels: ['3a'],
    statement:
      'Rotation: the worst ST-sym model drops below the baseline at ρ=0, the worst ST model does not.',
    place: 'Section 5, Fig. 3a: “However, it is interesting to note that the performance of the worst …”',
    rule: `The worst at the practical ρ. Ties are no drop.`,
    check(evidence) {
      const view = evidence.panel('3a');
      return every(
        view.above(view.baseline, view.worst(sym('rotation')), view.none),
        view.notBelow(view.worst(st('rotation')), view.baseline, view.none),
      );
    },
  },
  {
    id: 21,
    panels: ['3b'],
    statement: 'Crops → rotation: ST-sym is the best of all over the whole range.',
    place: 'Section 5, Fig. 3b: “Again, we observe that symmetrical ST offers the best performance …”',
    rule: `Its best above the best ST, the best DA and the baseline, over all ρ. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('3b');
      const others = [
        view.best(st('random-crop')),
        view.best(da('random-crop')),
        view.baseline,
        view.control,
      ];
      return aboveAll(view, view.best(sym('random-crop')), others);
    },
  },
  {
    id: 22,
    panels: ['3b'],
    statement: 'Crops → rotation: no ST run is below the baseline, some DA run is.',
    place: 'Section 5, Fig. 3b: “Also, the gray area shows that no ST model drops below baseline …”',
    rule: `Every run of ST, ST-sym and DA, every ρ. Nowhere more than a point below.`,
    check(evidence) {
      const view = evidence.panel('3b');
      return every(
        view.noneBelow(view.runs(stability('random-crop'))),
        view.someBelow(view.runs(da('random-crop'))),
      );
    },
  },
  {
    id: 23,
    panels: Object.values(SAME),
    statement:
      'Tested with what it was trained with, ST beats DA over the practical range, with a smaller spread.',
    place: 'Section 5: “For all considered distortions in the setting of identical train and test …”',
    rule: `For each of the six distortions, from none to the practical strength: the best ST or ST-sym above the best DA on average, and the mean width of their runs at most ${NARROWER} of DA’s.`,
    check: (evidence) =>
      inEach(
        Object.values(distortions).map(({ name, title, none, practical }) => [
          title,
          () => {
            const view =
              name === 'jpeg'
                ? new View(evidence, name, [none, practical])
                : evidence.panel(SAME[name as keyof typeof SAME]);
            const range = view.practicalRange;
            return every(
              view.aboveOnAverage(view.best(stability(name)), view.best(da(name)), range),
              view.narrower(
                { what: 'the ST band', runs: view.runs(stability(name)) },
                { what: 'DA’s range', runs: view.runs(da(name)) },
                range,
              ),
            );
          },
        ]),
      ),
  },
  {
    id: 24,
    panels: CROSS,
    statement: 'Training in one category brings nothing in the other.',
    place: 'Section 5: “We also investigated the use of cross-category training, …”',
    rule: `In each of the ten panels, the best ST or ST-sym and the best DA at most ${pointsOf(MARGINAL)} above the baseline, on average over all strengths.`,
    check: (evidence) =>
      inEach(
        CROSS.map((id) => {
          const { training, test } = panels.find((panel) => panel.id === id) as Panel;
          const title = `${distortionNamed(training[0]).title} → ${distortions[test].title}`;
          return [
            title,
            () => {
              const view = evidence.panel(id);
              const bests = [stability(training[0]), [da(training[0])]].map((families) =>
                view.best(families),
              );
              return every(...bests.map((best) => view.hardlyAboveOnAverage(best, view.baseline)));
            },
          ];
        }),
      ),
  },
  {
    id: 25,
    panels: ['2b'],
    statement: 'Under rotation, ST gains over the whole range, and adding Gaussian noise changes nothing.',
    place: 'Section 5, Fig. 2b: “As shown in Fig. 2b, regular ST offers some improvements …”',
    rule: `The best ST trained with rotation above the baseline over all ρ; with both at every ρ at most ${pointsOf(MARGIN)} from it. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2b');
      const alone = view.best(st('rotation'));
      return every(view.gains(alone), view.about(view.best(st(BOTH)), alone));
    },
  },
  {
    id: 26,
    panels: ['2b'],
    statement: 'Adding Gaussian noise, DA gains at mid to high ρ and loses in the practical range.',
    place: 'Section 5, Fig. 2b: “Data augmentation performs well when trained solely with rotation …”',
    rule: `The best DA with both above the best with rotation alone from ρ=${MID_ANGLE}° on, and below up to 30°. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2b');
      const [both, alone] = [view.best(da(BOTH)), view.best(da('rotation'))];
      return every(
        view.above(
          both,
          alone,
          view.where((angle) => angle >= MID_ANGLE),
        ),
        view.above(alone, both, view.practicalRange),
      );
    },
  },
  {
    id: 27,
    panels: ['2b'],
    statement: 'With rotation and Gaussian noise, ST-sym is the best of all over the whole range.',
    place: 'Section 5, Fig. 2b: “The symmetrical stability loss offers the best performance …”',
    rule: `Its best above every other curve of the panel, over all ρ. ${ABOVE}`,
    check(evidence) {
      const view = evidence.panel('2b');
      const others = [st(BOTH), st('rotation'), da(BOTH), da('rotation')].map((family) => view.best(family));
      return aboveAll(view, view.best(sym(BOTH)), [...others, view.baseline, view.control]);
    },
  },
  {
    id: 28,
    panels: ['2b'],
    statement: 'With rotation and Gaussian noise, the ST band is considerably narrower than DA’s range.',
    place: 'Section 5, Fig. 2b: “Also in this setting, the ST band is still considerably smaller …”',
    rule: `Mean width over all ρ, of ST and ST-sym together, at most ${NARROWER} of DA’s.`,
    check(evidence) {
      const view = evidence.panel('2b');
      return view.narrower(
        { what: 'the ST band', runs: view.runs(stability(BOTH)) },
        { what: 'DA’s range', runs: view.runs(da(BOTH)) },
      );
    },
  },
  {
    id: 29,
    panels: [],
    statement: 'ST needs more memory than DA: it holds the results of both batches.',
    place: 'Section 2: “Note that stability training leads to increased memory requirements …”',
    rule: 'Peak memory of a training step above the idle process: the least of ST’s repeats above the most of DA’s.',
  },
];

/** FGSM: none to the practical ε. */
function lowEpsilons(view: View): Strengths {
  return view.where((epsilon) => epsilon <= LOW_EPSILON);
}

function aboveAll(view: View, best: NamedCurve, others: readonly NamedCurve[], range?: Strengths): Finding {
  return every(...others.map((other) => view.above(best, other, range)));
}

/** A method's best with one training distortion is above its best with each of the others. */
function bestWith(
  view: View,
  method: (training: DistortionName) => Family,
  training: DistortionName,
  trainings: readonly DistortionName[],
): Finding {
  const others = trainings.filter((other) => other !== training).map((other) => view.best(method(other)));
  return aboveAll(view, view.best(method(training)), others);
}
