/** What the paper says about its figures: 29 statements, and what each compares. */
import { type DistortionName, distortions } from '../../distortions';
import { at, BOTH, da, da20, GAUSS, panels, panelTitle, st, stabilityOf, sym } from '../figures';
import { best, bests, FAR, MARGIN, MARGINAL, NARROWER, type Place, type Row, runs, worst } from './evidence';

/** A sentence of the paper about its results. */
export interface PaperClaim {
  /** 1 to 29, in the order of the text, except that the last is from section 2. */
  readonly id: number;
  /** Panels whose curves decide, as {@link Panel.id}; empty for the claim about memory. */
  readonly panels: readonly string[];
  /** What is claimed, in short. */
  readonly statement: string;
  /** Where the paper says so: section, figure, and how the sentence begins. */
  readonly place: string;
  /** What is compared, and over which strengths. */
  readonly rule: string;
  /** The rule as data: what is compared in the panel. */
  readonly rows?: readonly Row[];
  /** The same for a claim about several tests. The claim about memory has neither. */
  readonly inEach?: readonly Place[];
}

/** "Near" the practical strength: weaker or stronger by at most this factor. */
const NEAR = 2;
/** FGSM: low intensities go up to the practical ε, mid ones span the decade below the extreme, high ones lie above. */
const LOW_EPSILON = 0.001;
const MID_EPSILON = { from: 0.01, to: 0.1 } as const;
/** The extreme ε of section 5, at which models are selected a second time. */
const EXTREME_EPSILON = 0.1;
/** Rotation: mid to high intensities start at twice the practical angle. */
const MID_ANGLE = 60;

/** Chosen on the test images, as in the paper, so that more settings make the best luckier. */
const BESTS = 'The best of each: ST has three settings for each training strength, DA with a given p has one';
const ABOVE = 'Above on average, and at no strength surely below by more than a point.';
const pointsOf = (fraction: number) => `${100 * fraction} point${fraction === 0.01 ? '' : 's'}`;

/** What a method must beat: the baseline, and the baseline trained for as many further epochs. */
const UNTREATED = ['baseline', 'control'] as const;
const { practical: SIGMA } = distortions[GAUSS];
const { practical: ANGLE } = distortions.rotation;
const isPractical = (ρ: number) => ρ > 0 && ρ <= ANGLE;

/** Noise tests, each with the noise that the tested networks were trained with; DA's claim leaves out FGSM. */
const NOISE_TRAININGS = {
  [GAUSS]: [GAUSS, 'thumbnail'],
  jpeg: [GAUSS, 'thumbnail', 'jpeg'],
  thumbnail: [GAUSS, 'thumbnail'],
  fgsm: [GAUSS, 'fgsm'],
} as const;
type NoiseTest = keyof typeof NOISE_TRAININGS;
const NOISE_TESTS = Object.keys(NOISE_TRAININGS) as NoiseTest[];

/** Claims that a method's best with one training distortion is above its best with any other, at the practical strength. */
const bestWith = (method: typeof st, training: DistortionName, test: NoiseTest): Place => {
  const others = NOISE_TRAININGS[test].filter((other) => other !== training).map((other) => method(other));
  return {
    title: distortions[test].title,
    on: { test, strengths: [distortions[test].practical] },
    rows: [[bests(...others), 'below', best(method(training))]],
  };
};

/** Panels in which training and test distortion are the same. JPEG is in none, so its test is spelled out. */
const SAME = {
  [GAUSS]: '1a',
  thumbnail: 'S2c',
  fgsm: '2a',
  rotation: 'S3d',
  'random-crop': 'S4e',
  jpeg: { test: 'jpeg', strengths: [distortions.jpeg.none, distortions.jpeg.practical] },
} as const;
/** Panels that train with noise and test with a transformation. */
const CROSS = ['S1d', 'S1e', 'S2d', 'S2e'];

const STATEMENTS: Readonly<Record<number, Omit<PaperClaim, 'id' | 'panels'> & Partial<PaperClaim>>> = {
  1: {
    statement: 'DA with p=1 beats ST at the practical σ alone, and is worse elsewhere.',
    place: 'Section 5, Fig. 1a: “We observe in Fig. 1a that DA without reintroducing the reference image …”',
    rule: `${BESTS}. DA above ST at the practical σ, ST above DA where σ is more than ${NEAR} times weaker or stronger. ${ABOVE}`,
    rows: [
      [best(st(GAUSS)), 'below', best(da(GAUSS, 1)), 'practical'],
      [best(st(GAUSS)), 'above', best(da(GAUSS, 1)), (σ) => σ < SIGMA / NEAR || σ > SIGMA * NEAR],
    ],
  },
  2: {
    statement: 'The worst DA model with p=1 falls far below the baseline at σ=0: catastrophic forgetting.',
    place: 'Section 5, Fig. 1a: “Even more importantly, an unfavorable hyperparameter choice for DA …”',
    rule: `At least ${pointsOf(FAR)} below.`,
    rows: [['baseline', 'far above', worst(da(GAUSS, 1)), 'none']],
  },
  3: {
    statement: 'DA with p=0.5 is below DA with p=1 at the practical σ.',
    place: 'Section 5, Fig. 1a: “This issue can be mitigated to some degree by the reintroduction …”',
    rule: `${BESTS}.`,
    rows: [[best(da(GAUSS, 1)), 'above on average', best(da(GAUSS, 0.5)), 'practical']],
  },
  4: {
    statement: 'Twice the epochs barely move DA’s best and lift its worst by a sizable amount.',
    place: 'Section 5, Fig. 1a: “It only marginally improves the best-performing result found at 10 epochs.”',
    rule: `At the practical σ, over both p: the best at most ${pointsOf(MARGIN)} apart, the worst at least ${pointsOf(FAR)} higher.`,
    rows: [
      [best(da20(GAUSS)), 'about', best(da(GAUSS)), 'practical'],
      [worst(da20(GAUSS)), 'far above', worst(da(GAUSS)), 'practical'],
    ],
  },
  5: {
    statement: 'The ST band is considerably narrower than DA’s range, also after twice the epochs.',
    place: 'Section 5, Fig. 1a: “… the ST range as illustrated by the area shaded in gray in Fig. 1a …”',
    rule: `Mean width over all σ at most ${NARROWER} of DA’s, of the paper’s 10 epochs and of 20.`,
    rows: [
      [runs(st(GAUSS)), 'narrower', runs(da(GAUSS))],
      [runs(st(GAUSS)), 'narrower', runs(da20(GAUSS))],
    ],
  },
  6: {
    statement: 'Thumbnail → JPEG: even DA’s best is below the baseline (by nearly 10 points in the paper).',
    place: 'Section 5, Fig. 1b: “Even the best possible model trained via data augmentation …”',
    rule: 'At the practical q, its best is below.',
    rows: [['baseline', 'above on average', best(da('thumbnail')), 'practical']],
  },
  7: {
    statement: 'Thumbnail → JPEG: no ST run is below the baseline.',
    place: 'Section 5, Fig. 1b: “ST, on the other hand, did not show any worsening impact.”',
    rule: `Every run, every q. Nowhere more than a point below.`,
    rows: [[runs(st('thumbnail')), 'nowhere below', 'baseline']],
  },
  8: {
    panels: ['S1a', 'S1b', 'S1c', 'S2a', 'S2b', 'S2c', '2a'],
    statement: 'Whatever the noise in the test, ST does best trained with Gaussian noise.',
    place: 'Section 5: “In fact, for any test distortion in the noise category, ST performs best using …”',
    rule: `In each test, at its practical strength, its best is above the best of each other noise training distortion tested.`,
    inEach: NOISE_TESTS.map((test) => bestWith(st, GAUSS, test)),
  },
  9: {
    panels: ['S1a', 'S1b', 'S1c', 'S2a', 'S2b', 'S2c'],
    statement: 'Whatever the noise in the test, DA does best trained with the same noise.',
    place: 'Section 5: “… while DA always favors coinciding training and test distortions.”',
    rule: `In each test with two training distortions or more (not FGSM), at its practical strength, its best is above the best of each other.`,
    inEach: NOISE_TESTS.filter((test) => test !== 'fgsm').map((test) => bestWith(da, test, test)),
  },
  10: {
    statement: 'FGSM: DA’s best is about the baseline.',
    place: 'Section 5, Fig. 2a: “… DA is unable to generalize at all, performing similar to baseline.”',
    rule: `At every ε at most ${pointsOf(MARGIN)} apart.`,
    rows: [[best(da('fgsm')), 'about', 'baseline']],
  },
  11: {
    statement: 'FGSM: ST’s best is above the baseline everywhere.',
    place: 'Section 5, Fig. 2a: “ST offers a significant improvement compared to baseline performance …”',
    rule: `Above the baseline and the control, over all ε. ${ABOVE}`,
    rows: [[best(st('fgsm')), 'above', UNTREATED]],
  },
  12: {
    statement: 'FGSM: AT gains little at low ε and passes ST in mid-range.',
    place: 'Section 5, Fig. 2a: “Standard adversarial training offers no to marginal improvements …”',
    rule: `AT’s best at most ${pointsOf(MARGINAL)} above the baseline, at ε ≤ ${LOW_EPSILON}; above ST’s best at ε from ${MID_EPSILON.from} to ${MID_EPSILON.to}. ${ABOVE}`,
    rows: [
      [best(at('fgsm')), 'hardly above', 'baseline', (ε) => ε <= LOW_EPSILON],
      [best(at('fgsm')), 'above', best(st('fgsm')), (ε) => ε >= MID_EPSILON.from && ε <= MID_EPSILON.to],
    ],
  },
  13: {
    statement: 'Selected at ε=0.1, AT loses at low and gains at mid to high ε; ST hardly moves.',
    place: 'Section 5, Fig. 2a: “Here we see, that adversarial training sacrifices performance …”',
    rule: `Against the best at the practical ε: AT below at ε ≤ ${LOW_EPSILON} and above from ${MID_EPSILON.from} on; ST at every ε at most ${pointsOf(MARGIN)} apart. ${ABOVE}`,
    rows: [
      [best(at('fgsm'), EXTREME_EPSILON), 'below', best(at('fgsm')), (ε) => ε <= LOW_EPSILON],
      [best(at('fgsm'), EXTREME_EPSILON), 'above', best(at('fgsm')), (ε) => ε >= MID_EPSILON.from],
      [best(st('fgsm'), EXTREME_EPSILON), 'about', best(st('fgsm'))],
    ],
  },
  14: {
    statement: 'FGSM: no ST run is below the baseline.',
    place: 'Section 5, Fig. 2a: “As the gray ST band indicates, ST performance never drops below …”',
    rule: `Every run, every ε. Nowhere more than a point below.`,
    rows: [[runs(st('fgsm')), 'nowhere below', 'baseline']],
  },
  15: {
    statement: 'ST trained with Gaussian noise beats the baseline under FGSM.',
    place: 'Section 5, Fig. 2a: “Interestingly, even ST with Gaussian noise leads to an increased …”',
    rule: `Its best above the baseline and the control, over all ε. ${ABOVE}`,
    rows: [[best(st(GAUSS)), 'above', UNTREATED]],
  },
  16: {
    statement: 'Rotation: ST-sym is above ST wherever there is rotation.',
    place: 'Section 5, Fig. 3a: “Across all intensity levels ρ > 0, the symmetrical objective …”',
    rule: `${BESTS}, over all ρ > 0. ${ABOVE}`,
    rows: [[best(sym('rotation')), 'above', best(st('rotation')), (ρ) => ρ > 0]],
  },
  17: {
    statement: 'Rotation: at ρ=0, ST is at or above ST-sym.',
    place: 'Section 5, Fig. 3a: “Even the increased performance of the original ST objective at ρ = 0 …”',
    rule: `${BESTS}. Nowhere more than a point below.`,
    rows: [[best(st('rotation')), 'nowhere below', best(sym('rotation')), 'none']],
  },
  18: {
    statement: 'Rotation: DA with p=0.5 is below DA with p=1.',
    place: 'Section 5, Fig. 3a: “While the reintroduction of the reference image showed improvements …”',
    rule: `${BESTS}, over all ρ. ${ABOVE}`,
    rows: [[best(da('rotation', 1)), 'above', best(da('rotation', 0.5))]],
  },
  19: {
    statement: 'Rotation: up to the practical 30°, ST-sym is the best of all.',
    place: 'Section 5, Fig. 3a: “In the range up to rotations in the practical scenario, …”',
    rule: `Its best above the best of ST and of DA with p=1 and p=0.5, the baseline and the control, over 0 < ρ ≤ 30° (ρ=0 is claim 17’s). ${ABOVE}`,
    rows: [
      [
        bests(st('rotation'), da('rotation', 1), da('rotation', 0.5)),
        'below',
        best(sym('rotation')),
        isPractical,
      ],
      [best(sym('rotation')), 'above', UNTREATED, isPractical],
    ],
  },
  20: {
    statement:
      'Rotation: the worst ST-sym model drops below the baseline at ρ=0, the worst ST model does not.',
    place: 'Section 5, Fig. 3a: “However, it is interesting to note that the performance of the worst …”',
    rule: `The worst at the practical ρ. Ties are no drop.`,
    rows: [
      ['baseline', 'above', worst(sym('rotation')), 'none'],
      [worst(st('rotation')), 'nowhere below', 'baseline', 'none'],
    ],
  },
  21: {
    statement: 'Crops → rotation: ST-sym is the best of all over the whole range.',
    place: 'Section 5, Fig. 3b: “Again, we observe that symmetrical ST offers the best performance …”',
    rule: `Its best above the best ST, the best DA, the baseline and the control, over all ρ. ${ABOVE}`,
    rows: [
      [bests(st('random-crop'), da('random-crop')), 'below', best(sym('random-crop'))],
      [best(sym('random-crop')), 'above', UNTREATED],
    ],
  },
  22: {
    statement: 'Crops → rotation: no ST run is below the baseline, some DA run is.',
    place: 'Section 5, Fig. 3b: “Also, the gray area shows that no ST model drops below baseline …”',
    rule: `Every run, every ρ. ST and ST-sym nowhere more than a point below; DA somewhere below.`,
    rows: [
      [runs(stabilityOf('random-crop')), 'nowhere below', 'baseline'],
      [runs(da('random-crop')), 'somewhere below', 'baseline'],
    ],
  },
  23: {
    panels: Object.values(SAME).filter((on) => typeof on === 'string'),
    statement:
      'With the same training and test distortion, ST beats DA over the practical range, with a smaller spread.',
    place: 'Section 5: “For all considered distortions in the setting of identical train and test …”',
    rule: `For each of the six distortions, from none to the practical strength: the best ST or ST-sym above the best DA on average, and the mean width of their runs at most ${NARROWER} of DA’s.`,
    inEach: Object.values(distortions).map(({ name, title }) => ({
      title,
      on: SAME[name],
      rows: [
        [best(stabilityOf(name)), 'above on average', best(da(name)), 'up to the practical'],
        [runs(stabilityOf(name)), 'narrower', runs(da(name)), 'up to the practical'],
      ],
    })),
  },
  24: {
    panels: CROSS,
    statement: 'Training with noise does not help under transformations.',
    place: 'Section 5: “We also investigated the use of cross-category training, …”',
    rule: `In each of the four panels, the best ST or ST-sym and the best DA at most ${pointsOf(MARGINAL)} above the baseline, on average over all strengths.`,
    inEach: panels
      .filter(({ id }) => CROSS.includes(id))
      .map(({ id, training: [training], test }) => ({
        title: panelTitle({ training: [training], test }),
        on: id,
        rows: [[[best(stabilityOf(training)), best(da(training))], 'hardly above on average', 'baseline']],
      })),
  },
  25: {
    statement: 'Under rotation, ST gains over the whole range, and adding Gaussian noise changes nothing.',
    place: 'Section 5, Fig. 2b: “As shown in Fig. 2b, regular ST offers some improvements …”',
    rule: `The best ST trained with rotation above the baseline and the control over all ρ; with both at every ρ at most ${pointsOf(MARGIN)} from it. ${ABOVE}`,
    rows: [
      [best(st('rotation')), 'above', UNTREATED],
      [best(st(BOTH)), 'about', best(st('rotation'))],
    ],
  },
  26: {
    statement: 'Adding Gaussian noise, DA gains at mid to high ρ and loses in the practical range.',
    place: 'Section 5, Fig. 2b: “Data augmentation performs well when trained solely with rotation …”',
    rule: `The best DA with both above the best with rotation alone from ρ=${MID_ANGLE}° on, and below up to 30°. ${ABOVE}`,
    rows: [
      [best(da(BOTH)), 'above', best(da('rotation')), (ρ) => ρ >= MID_ANGLE],
      [best(da(BOTH)), 'below', best(da('rotation')), 'up to the practical'],
    ],
  },
  27: {
    statement: 'With rotation and Gaussian noise, ST-sym is the best of all over the whole range.',
    place: 'Section 5, Fig. 2b: “The symmetrical stability loss offers the best performance …”',
    rule: `Its best above the best of ST and of DA, trained with both or with rotation alone, the baseline and the control, over all ρ. ${ABOVE}`,
    rows: [
      [bests(st(BOTH), st('rotation'), da(BOTH), da('rotation')), 'below', best(sym(BOTH))],
      [best(sym(BOTH)), 'above', UNTREATED],
    ],
  },
  28: {
    statement: 'With rotation and Gaussian noise, the ST band is considerably narrower than DA’s range.',
    place: 'Section 5, Fig. 2b: “Also in this setting, the ST band is still considerably smaller …”',
    rule: `Mean width over all ρ, of ST and ST-sym together, at most ${NARROWER} of DA’s.`,
    rows: [[runs(stabilityOf(BOTH)), 'narrower', runs(da(BOTH))]],
  },
  29: {
    statement: 'ST needs more memory than DA: it keeps the activations of both batches.',
    place: 'Section 2: “Note that stability training leads to increased memory requirements …”',
    rule: 'Peak memory of a training step above the idle process: the least of ST’s repeats above the most of DA’s.',
  },
};

/** The statements in the order of their ids. One without `panels` is about the panel that its place names. */
export const claims: readonly PaperClaim[] = Object.entries(STATEMENTS).map(([id, statement]) => ({
  id: Number(id),
  panels: [...(/(?<=Fig\. )\w+/.exec(statement.place) ?? [])],
  ...statement,
}));
