/**
 * Adds the finished runs of a store to those that ship: `npm run results -- [PRESET] [STORE]`.
 *
 * PRESET is `laptop` by default, STORE `data/runs`.
 */
import { RUNS } from '../lib/experiments/laboratory';
import { presetNamed } from '../lib/experiments/presets';
import { readResults, shippedResults, writeResults } from '../lib/experiments/results';
import { RunStore } from '../lib/experiments/run-store';

const [name = 'laptop', store = RUNS] = process.argv.slice(2);
const preset = presetNamed(name);
const results = readResults(new RunStore(store, shippedResults(preset)));
console.log(`${writeResults(preset, results)}: ${results.size} runs.`);
