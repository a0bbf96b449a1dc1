import { currentKernel } from './client';
import type { Comms } from './comm';
import { display, updateDisplay } from './display';
import { encodeBundle, type MimeBundle, mimeBundle, toMimeBundle } from './mime';
import { type Model, openModel } from './widget-model';

/** What a person sets at the notebook: a slider, a list to select from, a box to check. */
export class Control<T> {
  readonly #label: string;
  readonly #widget: Widget<T>;
  #value: T;
  #model: Model | undefined;
  #handler: () => unknown = () => {};

  constructor(label: string, value: T, widget: Widget<T>) {
    this.#label = label;
    this.#value = value;
    this.#widget = widget;
  }

  /** What is set; to set it from code moves it in the notebook, too. */
  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    this.#value = value;
    this.#model?.update(this.#widget.toState(value));
    this.#handler();
  }

  /**
   * Calls `handler` with each new value, one call at a time: what is set while it works comes next, the newest value
   * alone. A later handler takes the place of an earlier one.
   */
  onChange(handler: (value: T) => unknown): this {
    this.#handler = oneAtATime(() => handler(this.#value));
    return this;
  }

  /** The widget where a front end knows widgets, else what is set in words. */
  [mimeBundle](): MimeBundle {
    const comms = currentKernel()?.comm;
    return { 'text/plain': this.text, ...(comms && this.modelIn(comms).view) };
  }

  get text(): string {
    return `${this.#label}: ${this.#widget.text(this.#value)}`;
  }

  /** Is opened when it is first shown. */
  modelIn(comms: Comms): Model {
    this.#model ??= this.#open(comms);
    return this.#model;
  }

  #open(comms: Comms): Model {
    const { name, style, width, state, toState, fromState } = this.#widget;
    // Labels are cut off otherwise.
    const look = { name: style, view: 'StyleView', state: { description_width: 'initial' } };
    return openModel(comms, {
      name,
      state: {
        description: this.#label,
        style: openModel(comms, look).reference,
        ...(width && {
          layout: openModel(comms, { name: 'Layout', module: 'base', state: { width } }).reference,
        }),
        ...state,
        ...toState(this.#value),
      },
      onUpdate: (changes) => {
        const value = fromState(changes);
        if (value === undefined || value === this.#value) return undefined;
        this.#value = value;
        return this.#handler();
      },
      onEvent: () => this.#handler(),
    });
  }
}

/** How a control is drawn: by a model of ipywidgets, and what its state says of the value. */
interface Widget<T> {
  readonly name: string;
  readonly style: string;
  readonly width?: string;
  readonly state?: object;
  readonly toState: (value: T) => object;
  readonly fromState: (state: Readonly<Record<string, unknown>>) => T | undefined;
  readonly text: (value: T) => string;
}

export interface SliderOptions {
  readonly min: number;
  readonly max: number;
  /** @default a hundredth of the way */
  readonly step?: number;
  /** Where it stands at first. @default min */
  readonly value?: number;
}

/**
 * A number between two others.
 *
 * ```ts
 * const sigma = slider('σ', { min: 0, max: 0.5, step: 0.01, value: 0.1 });
 * sigma.onChange(async (value) => console.log(value));
 * sigma
 * ```
 */
export function slider(label: string, options: SliderOptions): Control<number> {
  const { min, max, step = (max - min) / 100, value = min } = options;
  // 0.15, not 0.15000000000000002.
  const digits = Math.min(20, Math.max(0, 1 - Math.floor(Math.log10(step) + 1e-9), decimals(step)));
  return new Control(label, value, {
    name: 'FloatSlider',
    style: 'SliderStyle',
    width: '32em',
    state: { min, max, step, readout_format: `.${decimals(step)}f` },
    toState: (number) => ({ value: number }),
    fromState: (state) => (typeof state.value === 'number' ? Number(state.value.toFixed(digits)) : undefined),
    text: (number) => `${number} (${min} to ${max})`,
  });
}

function decimals(step: number): number {
  let digits = 0;
  while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-9) digits += 1;
  return digits;
}

/**
 * One of some values, shown as text.
 *
 * @param value The first of them where left out.
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
    toState: (option) => ({ index: options.indexOf(option) }),
    fromState: ({ index }) => (typeof index === 'number' ? options[index] : undefined),
    text: (option) => `${option} (of ${options.join(', ')})`,
  });
}

/** Yes or no. */
export function checkbox(label: string, value = false): Control<boolean> {
  return new Control(label, value, {
    name: 'Checkbox',
    style: 'CheckboxStyle',
    state: { indent: false },
    toState: (checked) => ({ value: checked }),
    fromState: (state) => (typeof state.value === 'boolean' ? state.value : undefined),
    text: (checked) => (checked ? 'yes' : 'no'),
  });
}

/** A button; clicks while `onClick` still works make one more call. */
export function button(label: string, onClick: () => unknown): Control<undefined> {
  return new Control<undefined>(label, undefined, {
    name: 'Button',
    style: 'ButtonStyle',
    toState: () => ({}),
    fromState: () => undefined,
    text: () => 'a button',
  }).onChange(onClick);
}

/**
 * Shows controls, and beneath them what `draw` makes of their values, redrawn in place as they move. In a saved notebook
 * what was drawn last is seen.
 *
 * ```ts
 * await interact({ sigma: slider('σ', { min: 0, max: 0.5 }) }, ({ sigma }) => picture(sigma));
 * ```
 *
 * @param draw is called once at a time; while it works, values in between are dropped
 */
export async function interact<const C extends Readonly<Record<string, Control<unknown>>>>(
  controls: C,
  draw: (values: { readonly [Name in keyof C]: C[Name]['value'] }) => unknown,
): Promise<void> {
  const panel = new Panel(Object.values(controls));
  const drawn = async () => {
    const values = Object.entries(controls).map(([name, { value }]) => [name, value]);
    return still(await draw(Object.fromEntries(values)));
  };
  await display(panel);
  const place = await display(shownAs(await drawn()));
  const redraw = oneAtATime(async () => {
    const bundle = await drawn();
    await updateDisplay(place, shownAs(bundle));
    panel.draw(bundle);
  });
  for (const control of Object.values(controls)) control.onChange(redraw);
}

/** Controls one beneath the other. */
class Panel {
  readonly #controls: readonly Control<unknown>[];
  #output: Model | undefined;

  constructor(controls: readonly Control<unknown>[]) {
    this.#controls = controls;
  }

  [mimeBundle](): MimeBundle {
    const text = this.#controls.map((control) => control.text).join('\n');
    const comms = currentKernel()?.comm;
    if (!comms) return { 'text/plain': text };
    this.#output = openModel(comms, { name: 'Output', module: 'output', state: { msg_id: '', outputs: [] } });
    const children = [...this.#controls.map((control) => control.modelIn(comms)), this.#output];
    const state = { children: children.map(({ reference }) => reference) };
    return { 'text/plain': text, ...openModel(comms, { name: 'VBox', state }).view };
  }

  /** Draws for pages that did not run the cell: what it has displayed stays as it is there. */
  draw(bundle: MimeBundle): void {
    if (!this.#output?.isElsewhere) return;
    const data = encodeBundle(bundle);
    this.#output.update({ outputs: [{ output_type: 'display_data', data, metadata: {} }] });
  }
}

/** A value as it can be changed in place: JupyterLab draws a Plotly figure but once, so the picture that goes with it. */
async function still(value: unknown): Promise<MimeBundle> {
  const { 'application/vnd.plotly.v1+json': _, ...bundle } = await toMimeBundle(value);
  return bundle;
}

function shownAs(bundle: MimeBundle): object {
  return { [mimeBundle]: () => bundle };
}

/** Calls while one is at work become one more call. */
function oneAtATime(work: () => unknown): () => Promise<void> {
  let isAtWork = false;
  let isAskedAgain = false;
  return async function call(): Promise<void> {
    isAskedAgain = isAtWork;
    if (isAtWork) return;
    isAtWork = true;
    try {
      await work();
    } finally {
      isAtWork = false;
      // Not awaited: it may fail, too, and both errors are shown.
      if (isAskedAgain) void call();
    }
  };
}
