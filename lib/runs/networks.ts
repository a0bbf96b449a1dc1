/** The networks of runs: ResNet-18 of some width, or user-defined networks by name. */
import { readFileSync } from 'node:fs';
import { ArgumentError } from '../io/errors';
import { shortHash } from '../io/hash';
import { checkOptions, hint, shown } from '../io/options';
import { changedError, Registry } from '../io/registry';
import { checkLogits, Network, networkGraph } from '../model/network';
import { fastestPrecision, type Precision, ResNet18 } from '../model/resnet';
import { hashSeed, Variable } from '../tensorflow';
import { ownCode } from '../tensorflow/graph';
import { canonicalJson, type NetworkForm, type OwnNetworkForm } from './spec';

/** What `make` of a network is given. */
export interface NetworkShape {
  /** C, the number of classes. */
  readonly classes: number;
  /** Side S of the images in pixels. */
  readonly side: number;
  /** Seed of the first weights. */
  readonly seed: number;
}

/** A user-defined network, made anew for each run. */
export interface NetworkMaker {
  readonly name: string;
  /** Makes the network. Its first weights follow from the seed, even if `make` does not pass it to `tf.initializers`. */
  readonly make: (shape: NetworkShape) => Network;
}

const own = new Registry<NetworkMaker>('network');
/** Hashes of what each network computes, by classes and side; registering a network again clears its hashes. */
const graphs = new WeakMap<NetworkMaker, Map<string, string>>();

/**
 * Registers a user-defined network under its name.
 *
 * @returns the network as experiments take it: `defineExperiment({ network: registerNetwork({ name, make }), … })`
 * @throws ArgumentError for a name with a plus sign or comma, or if `make` is missing
 */
export function registerNetwork(maker: NetworkMaker): OwnNetworkForm {
  checkOptions('A network', maker, 'name! make');
  if (typeof maker.make !== 'function')
    throw new ArgumentError(`The network "${maker.name}" must have a function make.`);
  own.add(maker);
  graphs.set(maker, new Map());
  return networkNamed(maker.name);
}

/** Finds a user-defined network by its name. @throws ArgumentError if there is none */
export function networkNamed(name: string): OwnNetworkForm {
  makerNamed(name);
  return { name, definition: own.definition(name) as string };
}

function makerNamed(name: string): NetworkMaker {
  const maker = own.get(name);
  if (maker !== undefined) return maker;
  throw new ArgumentError(`There is no network "${name}".${hint(name, own.names())}`, {
    cure: 'Load the file that registers it, or register it: --plugin FILE, loadPlugin, registerNetwork.',
  });
}

/**
 * Makes the network of a run with its first weights; the caller disposes of it.
 *
 * @param options.isNew Whether training starts from these weights. Those of a finished run fit if the network computes the same.
 * @throws ArgumentError if a user-defined network is not registered here, has changed since the run was planned, or has
 *   another number of classes
 */
export function makeNetwork(
  form: NetworkForm,
  options: NetworkShape & { readonly precision: Precision; readonly isNew?: boolean },
): Network {
  const { precision, classes, side, seed, isNew = false } = options;
  if ('width' in form) return new ResNet18({ ...form, classes, seed, precision });
  const { name, graph } = form;
  const maker = isNew || graph === undefined ? own.planned(name, form.definition) : makerNamed(name);
  if (precision !== 'float32') {
    throw new ArgumentError(`The network "${name}" computes in float32, but ${precision} was asked for.`);
  }
  const shape = { classes, side, seed };
  const network = makeAnew(maker, shape);
  try {
    if (network.classes !== classes) {
      throw new ArgumentError(
        `The network "${name}" has ${network.classes} classes, but the data set ${classes}.`,
        { cure: 'make gets the number of classes: use it.' },
      );
    }
    if (graph !== undefined) checkPlanned(network, maker, { graph, shape, isNew });
    return network;
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/** Makes a network with random numbers of its seed. @throws ArgumentError unless `make` gives a network of its own */
function makeAnew(maker: NetworkMaker, shape: NetworkShape): Network {
  const { name } = maker;
  const network = seeded(shape.seed, () => makeBy(maker, shape));
  if (!(network instanceof Network)) {
    const message = `make of the network "${name}" must return a network, but gave ${shown(network)}.`;
    throw new ArgumentError(message, {
      cure: 'Return what fromLayers or fromFunctions gives, or an object of a class that extends Network; make is not async.',
    });
  }
  const parts = [network, ...network.variables.values()];
  const used = parts.find((part) => made.has(part));
  if (used !== undefined) {
    const what =
      used instanceof Variable ? `the variable "${used.name}" of another network` : 'the same network';
    throw new ArgumentError(`make of the network "${name}" returns ${what} again.`, {
      cure: 'Make it anew within make: each run has a network of its own.',
    });
  }
  for (const part of parts) made.add(part);
  return network;
}

/**
 * Compares a network with the hashes that its run was planned with.
 *
 * @throws ArgumentError if it computes something else, or a new run would begin with the weights of another file
 */
function checkPlanned(
  network: Network,
  maker: NetworkMaker,
  { graph, shape, isNew }: { readonly graph: string; readonly shape: NetworkShape; readonly isNew: boolean },
): void {
  const { name } = maker;
  const [planned, , file] = graph.split('-');
  if (isNew && file !== fileOf(network)) {
    throw new ArgumentError(`The network "${name}" loads other weights than when the run was planned.`, {
      cure: 'Bring back the file that it loaded then, or register the network anew.',
    });
  }
  if (planned === graphOf(name, network, shape.side)) return;
  // What a network computes may depend on the seed, as with dropout: `planned` is the graph of seed 0.
  const ofFirst = () => {
    const first = makeAnew(maker, { ...shape, seed: 0 });
    try {
      return graphOf(name, first, shape.side);
    } finally {
      first.dispose();
    }
  };
  if (shape.seed === 0 || planned !== ofFirst()) throw changedError('network', name);
}

/** @throws ArgumentError if a user-defined network is not registered here, or has another definition by now */
export function checkNetwork(form: NetworkForm): void {
  if ('name' in form) own.planned(form.name, form.definition);
}

/** Whether the weights of one network fit the other: both compute the same, whatever their code and first weights. */
export function isAlike(one: NetworkForm, other: NetworkForm): boolean {
  if ('width' in one || 'width' in other) return canonicalJson(one) === canonicalJson(other);
  const computedBy = ({ graph }: OwnNetworkForm) => graph?.split('-')[0];
  return one.name === other.name && computedBy(one) === computedBy(other);
}

/** Networks that `make` has returned, and their variables. */
const made = new WeakSet<Network | Variable>();

/** @throws ArgumentError with the line of `make` that fails */
const makeBy = ({ name, make }: NetworkMaker, shape: NetworkShape): Network =>
  ownCode(`make of the network "${name}" fails for ${JSON.stringify(shape)}.`, () => make(shape));

/**
 * Adds hashes to a user-defined network: of what it computes; of its first weights and how training updates its statistics;
 * and of the file that its weights come from.
 *
 * @throws as {@link makeNetwork}
 */
export function withGraph(form: NetworkForm, shape: Pick<NetworkShape, 'classes' | 'side'>): NetworkForm {
  if ('width' in form) return form;
  const known = graphs.get(own.planned(form.name, form.definition)) as Map<string, string>;
  const key = `${shape.classes} ${shape.side}`;
  if (!known.has(key)) {
    const networks = [0, 1].map((seed) => makeNetwork(form, { ...shape, seed, precision: 'float32' }));
    try {
      const [network] = networks;
      checkLogits(network, shape.side);
      const [beginning, another] = networks.map(beginningOf);
      const moves = networkGraph(network, shape.side, { training: true });
      const begins = shortHash(beginning + another + moves.hash);
      const parts = [graphOf(form.name, network, shape.side), begins, fileOf(network) ?? []];
      known.set(key, parts.flat().join('-'));
      if (beginning === another && network.weightsFile === undefined) {
        console.warn(
          `The network "${form.name}" begins with the same weights at every seed.\n→ Unless that is intended, draw them with the seed that make is given: normalTensor([seed, 1], …).`,
        );
      }
    } finally {
      for (const network of networks) network.dispose();
    }
  }
  return { ...form, graph: known.get(key) };
}

/**
 * Hashes each variable of a network: whether it is trained, the norm of its first values to three digits, and their sums
 * under some patterns of signs to two. Further digits differ from machine to machine.
 */
function beginningOf({ variables }: Network): string {
  const all = [...variables.values()].map((variable) => {
    const values = variable.values();
    const size = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    const along = SIGNS.map((factor) => {
      const signOf = (at: number) => (Math.imul(at + 1, factor) < 0 ? -1 : 1);
      const sum = values.reduce((all, value, at) => all + signOf(at) * value, 0);
      return (sum / (size || 1)).toFixed(2);
    });
    return [variable.name, variable.trainable, size.toPrecision(3), ...along];
  });
  return shortHash(JSON.stringify(all));
}

/** Odd factors: their 32-bit products with 1, 2, 3, … are as often negative as positive, in no regular order. */
const SIGNS = [0x9e3779b1, 0x85ebca6b, 0xc2b2ae35];

/** Hashes the file that a network's weights were loaded from, if there is one. */
const fileOf = ({ weightsFile }: Network) =>
  weightsFile === undefined ? undefined : shortHash(readFileSync(weightsFile));

/**
 * Hashes what a network computes in training and in tests.
 *
 * @throws ArgumentError if it reads a variable that is not its own: a run would start with values left by another run
 */
function graphOf(name: string, network: Network, side: number): string {
  const graphs = [true, false].map((training) => networkGraph(network, side, { training, track: false }));
  const own = new Set(network.variables.values());
  const foreign = graphs.flatMap(({ variables }) => variables).find((variable) => !own.has(variable));
  if (foreign !== undefined) {
    throw new ArgumentError(
      `The network "${name}" reads the variable "${foreign.name}", which is not in its variables.`,
      { cure: 'Make it within make, and name it in variables: each run then begins with its first value.' },
    );
  }
  return shortHash(graphs.map(({ hash }) => hash).join(''));
}

/**
 * Makes something with random numbers that follow from a seed: TensorFlow.js' initializers draw from `Math.random` if they
 * have no seed, and treat 0 as none.
 */
function seeded<T>(seed: number, make: () => T): T {
  const { random } = Math;
  let drawn = 0;
  Math.random = () => (hashSeed(seed, 'network', drawn++)[0] >>> 0) / 2 ** 32;
  try {
    return make();
  } finally {
    Math.random = random;
  }
}

/** Returns the precision in which a network trains fastest here; user-defined networks compute in float32. */
export function fastestPrecisionOf(form: NetworkForm): Precision {
  return 'width' in form ? fastestPrecision(form.width) : 'float32';
}
