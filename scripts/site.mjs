// @ts-check
/**
 * Renders notebooks, pages and the library's doc comments into one static folder: `npm run site [-- FOLDER]`, `site/` by
 * default. Notebooks are shown as they were saved; nothing is executed. Fails if a link leads nowhere.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import katex from 'katex';
import { inRoot, root } from './lib/paths.mjs';

const site = path.resolve(process.argv[2] ?? inRoot('site'));
// What is already there is removed.
const lying = fs.existsSync(site) ? fs.readdirSync(site) : [];
if (lying.length > 0 && !lying.some((name) => name.startsWith('index.'))) {
  throw new Error(`${site} holds something else than an earlier site: give another folder.`);
}
const notebooks = fs
  .readdirSync(inRoot('notebooks'))
  .filter((name) => name.endsWith('.ipynb') && !name.startsWith('.'))
  .map((name) => `notebooks/${name}`);
const texts = [
  'README.md',
  'environment.md',
  'notebooks/teaching.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'bench/RESULTS.md',
  'lib/kernel/README.md',
  'lib/tensorflow/README.md',
];

/**
 * @typedef {{ cells: { cell_type: string, metadata?: object, source: string | string[] }[], metadata: Record<string, unknown>, nbformat?: number, nbformat_minor?: number }} Notebook
 * @typedef {{ file: string, title: string, begins: string, notebook: Notebook }} Page
 */

/**
 * Wraps a text in a notebook of one cell, so that one renderer makes all pages.
 *
 * @param {string} source
 * @returns {Notebook}
 */
const asNotebook = (source) => ({
  cells: [{ cell_type: 'markdown', metadata: {}, source }],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 4,
});

/**
 * @param {string} file path in the repository
 * @returns {Page}
 */
function pageOf(file) {
  const text = fs.readFileSync(inRoot(file), 'utf8');
  const notebook = file.endsWith('.ipynb') ? JSON.parse(text) : asNotebook(text);
  const [, title, begins] = /^# (.+)\n+((?:.+\n)*)/.exec([notebook.cells[0].source].flat().join('')) ?? [];
  if (title === undefined) throw new Error(`${file} does not begin with a heading.`);
  notebook.metadata.title = title;
  return {
    file,
    title,
    begins: begins
      .replace(/\n/g, ' ')
      .split(/(?<=[.?!]\**) (?=[A-Z*])/, 2)
      .join(' '),
    notebook,
  };
}

/**
 * @param {readonly Page[]} pages
 * @returns {Page}
 */
function contents(pages) {
  /** @param {(file: string) => boolean} isOf */
  const list = (isOf) =>
    pages
      .filter(({ file }) => isOf(file))
      .map(
        ({ file, title, begins }) =>
          `- [${title}](${file}): ${begins.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')}`,
      )
      .join('\n');
  const title = 'Stability training, cell by cell';
  const source = `# ${title}

Notebooks and a TypeScript library that reproduce
[*Achieving Generalizable Robustness of Deep Neural Networks by Stability Training*](https://arxiv.org/abs/1906.00735).
In a hurry: [how to read a figure](notebooks/07-reading-a-figure.ipynb), [Figure 1a](notebooks/fig1a.ipynb), [the claims](notebooks/claims.ipynb).

[![Figure 1a](data/results/photos-1a.svg)](notebooks/fig1a.ipynb)

## From a picture to an experiment of your own

${list((file) => /^notebooks\/\d/.test(file))}

## The paper's figures

${list((file) => /^notebooks\/(fig|supplement)/.test(file))}

## What the paper says, checked

${list((file) => file === 'notebooks/claims.ipynb')}

## To teach, to install, to look up

- [The library](api/index.html), folder by folder: every name with its units, ranges, defaults and errors
${list((file) => texts.includes(file))}
`;
  return { file: 'index.ipynb', title, begins: '', notebook: { ...asNotebook(source), metadata: { title } } };
}

/**
 * Turns the formulas of a text into MathML, which browsers draw by themselves; the template's MathJax would come from the
 * net. Code is left as it is.
 *
 * @param {string} text
 */
const withFormulas = (text) =>
  text.replace(
    /(```[\s\S]*?```|`[^`]*`)|(\$\$?)([^$]+)\2/g,
    (_, code, dollars, formula) =>
      code ?? katex.renderToString(formula, { output: 'mathml', displayMode: dollars === '$$' }),
  );

/** @param {string} file @param {string} ending */
const withEnding = (file, ending) => path.join(site, file.replace(/\.(ipynb|md)$/, ending));

/**
 * Points a page's links to where their targets are in the site, and copies targets that are not pages.
 *
 * @param {string} html
 * @param {string} file the page's path in the repository
 * @param {ReadonlySet<string>} known
 */
function relink(html, file, known) {
  const folder = path.dirname(file);
  const up = path.relative(folder, '.');
  const led = html.replaceAll('@root@', up === '' ? '' : `${up}/`);
  return led.replace(/(?<=(?:href|src)=")(?![a-z]+:|#)([^"#]+)/g, (link) => {
    const target = path.join(folder, decodeURI(link));
    if (target.startsWith('api/')) return link;
    if (known.has(target)) return link.replace(/\.(ipynb|md)$/, '.html');
    if (target === 'lib/index.ts') return link.replace(target, 'api/index.html');
    if (fs.existsSync(inRoot(target))) fs.cpSync(inRoot(target), path.join(site, target));
    return link;
  });
}

fs.rmSync(site, { recursive: true, force: true });
const chapters = [...notebooks, ...texts].map(pageOf);
const pages = [...chapters, contents(chapters)];
const known = new Set(pages.map(({ file }) => file));
for (const { file, notebook } of pages) {
  fs.mkdirSync(path.dirname(path.join(site, file)), { recursive: true });
  for (const cell of notebook.cells.filter(({ cell_type }) => cell_type === 'markdown'))
    cell.source = withFormulas([cell.source].flat().join(''));
  fs.writeFileSync(withEnding(file, '.ipynb'), JSON.stringify(notebook));
}
const drafts = pages.map(({ file }) => withEnding(file, '.ipynb'));
/** @param {string} command @param {readonly string[]} args */
const call = (command, args) => execFileSync(command, args, { cwd: root, stdio: 'inherit' });
call(inRoot('.venv', 'bin', 'jupyter'), [
  'nbconvert',
  '--log-level=WARN',
  '--to=html',
  '--template=site',
  `--TemplateExporter.extra_template_basedirs=${inRoot('scripts')}`,
  ...drafts,
]);
for (const { file } of pages) {
  const html = withEnding(file, '.html');
  fs.writeFileSync(html, relink(fs.readFileSync(html, 'utf8'), file, known));
  fs.rmSync(withEnding(file, '.ipynb'));
}
call('npm', ['run', '--silent', 'docs', '--', '--readme', 'none', '--out', path.join(site, 'api')]);
const linkinator = ['exec', '--yes', '--package=linkinator@7.6.1', '--', 'linkinator', site];
const options = [
  '--recurse',
  '--check-fragments',
  '--verbosity',
  'error',
  '--skip',
  '^https?://(?!localhost)',
];
call('npm', [...linkinator, ...options]);
console.log(`${pages.length} pages and the library's: ${path.join(site, 'index.html')}`);
