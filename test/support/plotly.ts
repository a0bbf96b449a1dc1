import { readFileSync } from 'node:fs';
import { createContext, runInContext } from 'node:vm';
import { Window } from 'happy-dom';
import { type PlotlyPayload, plotlyPath } from '../../lib/plots/plotly';

let validate: ((payload: string) => string) | undefined;

/** Asks plotly.js what is wrong with a payload: unknown attributes, values it would ignore. */
export function validatePayload(payload: PlotlyPayload): readonly string[] {
  validate ??= load();
  return JSON.parse(validate(JSON.stringify(payload)));
}

/** Loads plotly.js in its own realm, behind a function that takes and returns JSON. */
function load(): (payload: string) => string {
  const window = new Window();
  window.URL.createObjectURL = () => 'blob:';
  const realm = createContext(Object.assign(window, { module: { exports: {} } }));
  runInContext(readFileSync(plotlyPath(), 'utf8'), realm);
  return runInContext(
    `(payload) => {
      const { data, layout } = JSON.parse(payload);
      return JSON.stringify((module.exports.validate(data, layout) ?? []).map(({ msg }) => msg));
    }`,
    realm,
  );
}
