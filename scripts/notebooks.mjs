// @ts-check
/**
 * Executes notebooks and saves them with their outputs: `npm run notebooks [-- NAME …]`, all of them by default.
 *
 * Each is saved with a fingerprint of what its outputs come from – its cells and the results that ship – so that
 * `npm test` notices outputs that are out of date.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inRoot } from './lib/paths.mjs';

const folder = inRoot('notebooks');

/**
 * Hashes what a notebook's outputs come from.
 *
 * @param {{ cells: readonly { cell_type: string, source: string | readonly string[] }[] }} notebook
 */
export function fingerprint({ cells }) {
  const hash = createHash('sha256');
  const sources = cells
    .filter((cell) => cell.cell_type === 'code')
    .map((cell) => [cell.source].flat().join(''));
  for (const source of sources) hash.update(source).update('\0');
  const reads =
    /\.(results|shown|claimsOf|corruptedTreatments|corruptionFindings|findings|showFigure|figureTable|verdictTable|compareTreatments)\(/;
  if (sources.some((source) => reads.test(source))) {
    for (const preset of ['laptop', 'photos']) {
      const results = inRoot('data', 'results', `${preset}.jsonl`);
      hash.update(`${preset}\0`);
      if (!fs.existsSync(results)) continue;
      const text = fs.readFileSync(results, 'utf8');
      hash.update(
        sources.some((source) => /\.corrupt(edTreatments|ionFindings)\(/.test(source))
          ? text
          : ofThePaper(text),
      );
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/**
 * Drops the rows of corruptions, which few notebooks read, from results.
 *
 * @param {string} text one run per line
 */
function ofThePaper(text) {
  const papers = /^(gaussian-noise|jpeg|thumbnail|fgsm|rotation|random-crop)(\+|$)/;
  return text.replace(/.+/g, (line) => {
    const { record, rows } = JSON.parse(line);
    const kept = rows.filter((/** @type {{ distortion: string }} */ row) => papers.test(row.distortion));
    return JSON.stringify({ record, rows: kept });
  });
}

/**
 * Adds to each picture's metadata what it shows, as the alternative text for front ends and nbconvert's templates.
 *
 * @param {readonly { metadata?: Record<string, unknown>, data?: Record<string, string | string[]> }[]} outputs
 */
function describePictures(outputs) {
  for (const output of outputs) {
    if (output.metadata === undefined || output.data?.['image/png'] === undefined) continue;
    output.metadata['image/png'] = { alt: [output.data['text/plain']].flat().join('') };
  }
}

/** @param {string} name without its extension */
function execute(name) {
  const file = path.join(folder, `${name}.ipynb`);
  const jupyter = inRoot('.venv', 'bin', 'jupyter');
  const aside = path.join(folder, `.${name}.executing.ipynb`); // in the same folder, from where its cells find the library
  try {
    fs.copyFileSync(file, aside);
    execFileSync(
      jupyter,
      ['nbconvert', '--to', 'notebook', '--execute', '--inplace', '--ExecutePreprocessor.timeout=-1', aside],
      {
        env: { ...process.env, JUPYTER_PATH: inRoot('.jupyter') },
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    );
    const notebook = JSON.parse(fs.readFileSync(aside, 'utf8'));
    for (const cell of notebook.cells) {
      delete cell.metadata.execution; // timestamps, which differ with every run
      describePictures(cell.outputs ?? []);
    }
    // With it, nbconvert's pages would replace the widgets' text by live widgets from the net, which have no kernel to act on.
    delete notebook.metadata.widgets;
    notebook.metadata.outputs_of = fingerprint(notebook);
    fs.writeFileSync(aside, `${JSON.stringify(notebook, undefined, 1)}\n`);
    fs.renameSync(aside, file);
  } finally {
    fs.rmSync(aside, { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const known = fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.ipynb') && !name.startsWith('.'))
    .map((name) => name.replace(/\.ipynb$/, ''));
  const wanted = process.argv.slice(2);
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`There is no notebook "${unknown}". There are ${known.join(', ')}.`);
    process.exit(2);
  }
  for (const name of wanted.length > 0 ? wanted : known) {
    console.log(name);
    execute(name);
  }
}
