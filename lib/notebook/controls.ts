import { currentKernel } from './client';
import type { Comms } from './comm';
import { display, onePlace } from './display';
import { encodeBundle, type MimeBundle, mimeBundle, toMimeBundle } from './mime';
import { type Model, openModel } from './widget-model';

/** A control that a reader uses in a notebook: a slider, a list to select from, a checkbox, a button. */
export class Control<T> {
  /** Names the possible values, not the current one: this text stays as the cell first showed it. */
  readonly text: string;
  readonly #widget: Widget<T>;
  #value: T;
  #model: Model | undefined;
  #handler: (isElsewhere?: boolean) => unknown = () => {};

  constructor(label: string, value: T, widget: Widget<T>) {
    this.text = `${label}: ${widget.text}`;
    this.#value = value;
    this.#widget = { ...widget, state: { ...widget.state, description: label } };
  }

  /** The current value. Setting it from code moves the control in the notebook, too. */
  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    this.#value = value;
    this.#model?.update(this.#state);
    void Promise.resolve(this.#handler()).then(); // its errors appear under the cell, as those of any unawaited promise
  }

  /**
   * Calls `handler` with each new value, one call at a time. Of the values set while a call runs, only the newest comes
   * next. A later handler takes the place of an earlier one.
   *
   * @param handler Receives `isElsewhere` as in {@link Comm.onMessage}
   */
  onChange(handler: (value: T, isElsewhere?: boolean) => unknown): this {
    this.#handler = oneAtATime((isElsewhere) => handler(this.#value, isElsewhere));
    return this;
  }

  /** The value as part of the model's state. */
  get #state(): object {
    const { key, encode = (value) => value } = this.#widget;
    return { [key]: encode(this.#value) };
  }

  /** Shows the widget, or text in a front end without widgets. */
  [mimeBundle](): MimeBundle {
    const comms = currentKernel()?.comm;
    return { 'text/plain': this.text, ...(comms && this.openIn(comms).view) };
  }

  /** Returns the control's model, which is opened when the control is first shown. */
  openIn(comms: Comms): Model {
    if (this.#model) return this.#model;
    const { name, style, width, state, key, decode = (given) => given as T } = this.#widget;
    // Labels would be cut off otherwise.
    const look = { name: style, state: { description_width: 'initial' } };
    const layout = { name: 'Layout', module: 'base', state: { width } } as const;
    this.#model = openModel(comms, {
      name,
      state: {
        ...state,
        ...this.#state,
        style: openModel(comms, look).reference,
        layout: openModel(comms, layout).reference,
      },
      onUpdate: (changes, isElsewhere) => {
        const value = key in changes ? decode(changes[key]) : this.#value;
        if (value === this.#value) return undefined;
        this.#value = value;
        return this.#handler(isElsewhere);
      },
      onEvent: () => this.#handler(),
    });
    return this.#model;
  }
}

/** How ipywidgets draws a control: the names of its models, and the key of the value in their state. */
interface Widget<T> {
  readonly name: string;
  readonly style: string;
  readonly width?: string;
  readonly state?: object;
  readonly key: 'value' | 'index';
  /** Default: the value as it is. */
  encode?(value: T): unknown;
  decode?(value: unknown): T;
  readonly text: string;
}

/** The range, step and first value of a {@link slider}. */
export interface SliderOptions {
  readonly min: number;
  readonly max: number;
  /** @default a hundredth of the range */
  readonly step?: number;
  /** The first value. @default min */
  readonly value?: number;
}

/**
 * Makes a slider for a number from `min` to `max`.
 *
 * ```ts
 * const sigma = slider('σ', { min: 0, max: 0.5, step: 0.01, value: 0.1 });
 * sigma.onChange(async (value) => console.log(value));
 * sigma
 * ```
 */
export function slider(label: string, options: SliderOptions): Control<number> {
  const { min, max, step = (max - min) / 100, value = min } = options;
  return new Control(label, value, {
    name: 'FloatSlider',
    style: 'SliderStyle',
    width: '32em',
    state: { min, max, step, readout_format: '.6~g' },
    key: 'value',
    // 0.15, not 0.15000000000000002.
    decode: (number) => Number(Number(number).toPrecision(12)),
    text: `${min} to ${max}`,
  });
}

/**
 * Makes a list to select one of some values from, shown as text.
 *
 * @param value The value selected at first. @default the first of `options`
 */
export function select<const T>(
  label: string,
  options: readonly [T, ...T[]],
  value: T = options[0],
): Control<T> {
  return new Control(label, value, {
    name: 'Dropdown',
    style: 'DescriptionStyle',
    state: { _options_labels: options.map(String) },
    key: 'index',
    encode: (option) => options.indexOf(option),
    decode: (index) => options[Number(index)] as T,
    text: options.join(', '),
  });
}

/** Makes a checkbox, for yes or no. */
export function checkbox(label: string, value = false): Control<boolean> {
  return new Control<boolean>(label, value, {
    name: 'Checkbox',
    style: 'CheckboxStyle',
    state: { indent: false },
    key: 'value',
    text: 'yes or no',
  });
}

/** Makes a button. Clicks while `onClick` is still running cause one more call. */
export function button(label: string, onClick: () => unknown): Control<undefined> {
  return new Control<undefined>(label, undefined, {
    name: 'Button',
    style: 'ButtonStyle',
    key: 'value',
    decode: () => undefined,
    text: 'a button',
  }).onChange(onClick);
}

/**
 * Shows controls and, beneath them, what `draw` makes of their values, redrawn in place as they change. A saved notebook
 * keeps the last drawing.
 *
 * ```ts
 * await interact({ sigma: slider('σ', { min: 0, max: 0.5 }) }, ({ sigma }) => picture(sigma));
 * ```
 *
 * @param draw Called with one set of values at a time; of those set while a call runs, only the newest is drawn
 */
export async function interact<const C extends Readonly<Record<string, Control<unknown>>>>(
  controls: C,
  draw: (values: { readonly [Name in keyof C]: C[Name]['value'] }) => unknown,
): Promise<void> {
  const named = Object.entries(controls);
  const { view, output } = panelOf(Object.values(controls));
  const showPicture = onePlace();
  /** Whether the output beneath the controls holds the picture, for pages on which displays do not update. */
  let isInOutput = false;
  const redraw = oneAtATime(async (isElsewhere = false) => {
    const values = Object.fromEntries(named.map(([name, { value }]) => [name, value]));
    // JupyterLab draws a Plotly figure only once; the picture that goes with it can be changed in place.
    const { 'application/vnd.plotly.v1+json': _, ...bundle } = await toMimeBundle(
      await draw(values as Parameters<typeof draw>[0]),
    );
    await showPicture({ [mimeBundle]: () => bundle });
    const picture = { output_type: 'display_data', data: encodeBundle(bundle), metadata: {} };
    if (isElsewhere || isInOutput) output?.update({ outputs: isElsewhere ? [picture] : [] });
    isInOutput = isElsewhere;
  });
  for (const [, control] of named) control.onChange((_, isElsewhere) => redraw(isElsewhere));
  await display({ [mimeBundle]: () => view });
  await redraw();
}

/** Arranges controls one beneath the other, above an output; as text where there are no widgets. */
function panelOf(controls: readonly Control<unknown>[]) {
  const text = { 'text/plain': controls.map((control) => control.text).join('\n') };
  const comms = currentKernel()?.comm;
  if (!comms) return { view: text };
  const output = openModel(comms, { name: 'Output', module: 'output', state: { msg_id: '', outputs: [] } });
  const children = [...controls.map((control) => control.openIn(comms)), output];
  const state = { children: children.map(({ reference }) => reference) };
  return { view: { ...text, ...openModel(comms, { name: 'VBox', state }).view }, output };
}

/** Runs one call at a time. Of the calls that arrive meanwhile, the newest runs next and the others do nothing. */
function oneAtATime(work: (isElsewhere?: boolean) => unknown): (isElsewhere?: boolean) => Promise<void> {
  let calls = 0;
  let before: Promise<void> | undefined;
  return (isElsewhere) => {
    calls += 1;
    const number = calls;
    const begin = async () => {
      if (number === calls) await work(isElsewhere);
    };
    const call = before ? before.then(begin) : begin();
    const end = () => {
      if (number === calls) before = undefined;
    };
    before = call.then(end, end);
    return call;
  };
}
