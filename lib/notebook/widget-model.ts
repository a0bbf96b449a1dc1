import type { CommData, Comms } from './comm';

/** The kernel's end of a widget's model; ipywidgets' code in the front end draws the widget. */
export type Model = ReturnType<typeof openModel>;

export interface ModelOptions {
  /** The model's name without `Model`, such as `FloatSlider`. All names that end in `Style` share one view. */
  readonly name: string;
  /** Default: `controls`. */
  readonly module?: 'base' | 'controls' | 'output';
  readonly state: object;
  /** Handles changes from a front end; `isElsewhere` as in {@link Comm.onMessage}. */
  onUpdate?(changes: CommData, isElsewhere: boolean): unknown;
  /** Handles messages that change nothing, such as a click. */
  onEvent?(): unknown;
}

/** All open models by the ids of their comms. A front end that connects anew, as after a reload, asks for them. */
const models = new Map<string, object>();

const versions = { base: '2.0.0', controls: '2.0.0', output: '1.0.0' };

/**
 * Opens a model of `@jupyter-widgets/base`, `controls` or `output`.
 *
 * Source: the widget messaging protocol 2.1 and the control protocol 1.0 in ipywidgets' `packages/schema/messages.md`.
 */
export function openModel(comms: Comms, options: ModelOptions) {
  const { name, module = 'controls', onUpdate, onEvent } = options;
  const [model_name, model_module] = [`${name}Model`, `@jupyter-widgets/${module}`];
  const model_module_version = versions[module];
  const isStyle = name.endsWith('Style');
  const state = {
    _model_name: model_name,
    _model_module: model_module,
    _model_module_version: model_module_version,
    _view_name: isStyle ? 'StyleView' : `${name}View`,
    _view_module: isStyle ? '@jupyter-widgets/base' : model_module,
    _view_module_version: model_module_version,
    ...options.state,
  };
  comms.onOpen('jupyter.widget.control', (control) =>
    control.onMessage(() => {
      control.send({ method: 'update_states', states: Object.fromEntries(models), buffer_paths: [] });
    }),
  );
  const comm = comms.open('jupyter.widget', { state, buffer_paths: [] }, { metadata: { version: '2.1.0' } });
  const { id } = comm;
  models.set(id, { model_name, model_module, model_module_version, state });
  const send = (method: string, changes: object) => comm.send({ method, state: changes, buffer_paths: [] });
  const change = (method: string, changes: object) => {
    Object.assign(state, changes);
    send(method, changes);
  };
  comm.onClose(() => models.delete(id));
  comm.onMessage(({ method, state: changes }, _, isElsewhere) => {
    if (method === 'request_state') return send('update', state);
    if (method !== 'update') return onEvent?.();
    // Every front end follows the one in which the widget was moved.
    change('echo_update', changes as CommData);
    return onUpdate?.(changes as CommData, isElsewhere);
  });
  return {
    /** Names the model in the state of another. */
    reference: `IPY_MODEL_${id}`,
    /** Shows the model in an output. */
    view: {
      'application/vnd.jupyter.widget-view+json': { version_major: 2, version_minor: 0, model_id: id },
    },
    /** Sends changes to all front ends. */
    update: (changes: object) => change('update', changes),
  };
}
