import type { Comm, CommData, Comms } from './comm';
import type { MimeBundle } from './mime';

/** A widget's model at this end; ipywidgets' code in the front end draws it. */
export interface Model {
  /** Names it in the state of another. */
  readonly reference: string;
  /** Shows it in an output. */
  readonly view: MimeBundle;
  /** Sends changes to all front ends. */
  update(changes: object): void;
}

export interface ModelOptions {
  /** Without its ending, as in `FloatSlider`. */
  readonly name: string;
  /** Default: `controls`. */
  readonly module?: 'base' | 'controls' | 'output';
  /** Default: named as the model. */
  readonly view?: string;
  readonly state: object;
  /** Takes what a front end has changed; `isElsewhere` as in {@link Comm.onMessage}. */
  onUpdate?(changes: CommData, isElsewhere: boolean): unknown;
  /** Takes what is no change, as a click. */
  onEvent?(): unknown;
}

/** What a front end asks for that comes anew, as after a reload of the page: every model's state, by its comm. */
const states = new Map<string, CommData>();

const versions = { base: '2.0.0', controls: '2.0.0', output: '1.0.0' };

/**
 * Opens a model of `@jupyter-widgets/base`, `controls` or `output`.
 *
 * Source: the widget messaging protocol 2.1 and the control protocol 1.0 in ipywidgets' `packages/schema/messages.md`.
 */
export function openModel(comms: Comms, options: ModelOptions): Model {
  const { name, module = 'controls', view = `${name}View`, onUpdate, onEvent } = options;
  const state: CommData = {
    _model_name: `${name}Model`,
    _model_module: `@jupyter-widgets/${module}`,
    _model_module_version: versions[module],
    _view_name: view,
    _view_module: view === 'StyleView' ? '@jupyter-widgets/base' : `@jupyter-widgets/${module}`,
    _view_module_version: versions[module],
    ...options.state,
  };
  comms.onOpen('jupyter.widget.control', (control) => control.onMessage(() => sendStates(control)));
  const comm = comms.open('jupyter.widget', { state, buffer_paths: [] }, { metadata: { version: '2.1.0' } });
  const { id } = comm;
  states.set(id, state);
  const send = (method: string, changes: object) => comm.send({ method, state: changes, buffer_paths: [] });
  const change = (method: string, changes: object) => {
    Object.assign(state, changes);
    send(method, changes);
  };
  comm.onClose(() => states.delete(id));
  comm.onMessage(({ method, state: changes }, _, isElsewhere) => {
    if (method === 'request_state') return send('update', state);
    if (method !== 'update') return onEvent?.();
    // All front ends move with the one in which it was moved.
    change('echo_update', changes as CommData);
    return onUpdate?.(changes as CommData, isElsewhere);
  });
  return {
    reference: `IPY_MODEL_${id}`,
    view: {
      'application/vnd.jupyter.widget-view+json': { version_major: 2, version_minor: 0, model_id: id },
    },
    update: (changes) => change('update', changes),
  };
}

function sendStates(comm: Comm): void {
  const entries = [...states].map(([id, state]) => {
    const { _model_name, _model_module, _model_module_version } = state;
    const model = { model_name: _model_name, model_module: _model_module };
    return [id, { ...model, model_module_version: _model_module_version, state }];
  });
  comm.send({ method: 'update_states', states: Object.fromEntries(entries), buffer_paths: [] });
}
