/** `export`: writes a run for PyTorch. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { distortionNamed, strengthText } from '../distortions';
import { placeInGrid } from '../distortions/distortion';
import type { EvaluationRow } from '../evaluation/evaluate';
import { ArgumentError, DataError } from '../io/errors';
import { makeFolder, writeWhole } from '../io/files';
import type { Network } from '../model/network';
import { duration } from '../plots/duration';
import type { Laboratory } from '../runs/laboratory';
import { type RunRecord, RunStore } from '../runs/run-store';
import { type NetworkForm, type RunSpec, runTitle } from '../runs/spec';
import type { BatchNormConstants } from '../tensorflow/ops';
import { methodName } from '../training/methods';
import type { Given } from './commands';
import { accuracyCells } from './evaluate';
import { findRun } from './store';
import { optionsText, percent, printJson } from './text';

/** Writes weights, model card and config.json. @throws DataError if the weights are not here, or damaged */
async function exportRun({ run: prefix, data, store, out, json }: Given<'export'>): Promise<void> {
  const { record, laboratory } = findRun(prefix, { data, store });
  const { id, spec } = record;
  const runs = laboratory.store;
  const weights = runs.weights(id);
  if (weights === undefined) {
    if (new RunStore(runs.directory).isFinished(id)) {
      throw new DataError(`The weights of the run ${id} are not in ${runs.directory}.`, {
        cure: 'Export it where it was trained, or move its folder elsewhere and run it again.',
      });
    }
    throw new DataError(`The record of the run ${id} ships with the project, without its weights.`, {
      cure: `Train it here: npx stability-training ${runCommand(laboratory.preset.name, spec)}`,
    });
  }
  const network = await laboratory.network(record); // throws if the weights are damaged
  const config = configOf(record, laboratory, network);
  network.dispose();
  makeFolder(out);
  const files = ['weights.safetensors', 'config.json', 'README.md'].map((file) => join(out, file));
  const isOwn = existsSync(files[0]) || !files.some((file) => existsSync(file));
  if (!isOwn) {
    throw new ArgumentError(`${out} has a README.md or config.json already, which export would replace.`, {
      cure: 'Choose another folder.',
    });
  }
  writeWhole(files[0], readFileSync(weights));
  writeWhole(files[1], `${JSON.stringify(config, undefined, 2)}\n`);
  writeWhole(files[2], modelCard(config));
  if (json) printJson({ run: id, files });
  else console.log(`Exported ${runTitle(spec)}, seed ${spec.seed}, to ${out}.`);
}

export { exportRun as export };

function configOf(record: RunRecord, laboratory: Laboratory, { batchNorms }: Network) {
  const { name, classNames, cropSide, sourceSide, mean, deviation } = laboratory.datasetOf(record.spec);
  const { network } = record.spec;
  return {
    architecture: 'width' in network ? 'resnet18' : network.name,
    network,
    batchNorms: Object.fromEntries(batchNorms),
    classes: classNames.length,
    classNames,
    input: { sourceSide, cropSide, mean, deviation },
    dataset: name,
    run: record,
    evaluations: inOrder(laboratory.store.evaluations(record.id)).map(({ answers: _, ...row }) => row),
  };
}

/** Sorts rows by distortion, in the order of its test grid; strengths outside the grid come first. */
function inOrder(rows: readonly EvaluationRow[]): readonly EvaluationRow[] {
  const names = rows.map(({ distortion }) => distortion);
  const place = ({ distortion, strength }: EvaluationRow) =>
    placeInGrid(distortionNamed(distortion), strength);
  return rows.toSorted(
    (a, b) => names.indexOf(a.distortion) - names.indexOf(b.distortion) || place(a) - place(b),
  );
}

/** Writes what nn.BatchNorm2d takes besides the weights, with the names of the layers if they differ. */
function batchNormText(batchNorms: Readonly<Record<string, BatchNormConstants>>): string {
  const texts = Object.entries(batchNorms).map(
    ([name, { eps, momentum }]) => [name, `eps=${eps}, momentum=${momentum}`] as const,
  );
  const distinct = [...new Set(texts.map(([, text]) => text))].map((text) => {
    const names = texts.filter(([, one]) => one === text).map(([name]) => name);
    return `\`nn.BatchNorm2d(…, ${text})\`${names.length < texts.length ? ` (${names.join(', ')})` : ''}`;
  });
  return distinct.length === 0 ? 'none known' : distinct.join('; ');
}

/** Writes the command that trains a run that ships with the project. */
function runCommand(preset: string, { method, distortion, epochs, precision, seed }: RunSpec): string {
  const { kind, ...hyperparameters } = method;
  return `run --retrain${optionsText({
    preset,
    method: methodName(method),
    ...(kind !== 'own' && hyperparameters),
    ...(distortion && { distortion: distortion.name, strength: [distortion.strength].flat().join('+') }),
    ...{ epochs, precision, seed },
  })}`;
}

function modelCard(config: ReturnType<typeof configOf>): string {
  const { architecture, network, batchNorms, classes, dataset, input, run, evaluations } = config;
  const { id, spec, history, bestEpoch, device, seconds, finished, version } = run;
  const { method, distortion } = spec;
  const rows = evaluations.map((row) => {
    const { strength, accuracy, '95 % interval': interval, images } = accuracyCells(row);
    const cells = [distortionNamed(row.distortion).title, strength, accuracy, interval, images];
    return `| ${cells.join(' | ')} |`;
  });
  const head = '| test distortion | strength | accuracy | 95 % interval | images |\n|---|---|---|---|---|';
  const table = rows.length === 0 ? 'It has not been tested yet.' : [head, ...rows].join('\n');
  const numbers = (values: readonly number[]) => `(${values.map((value) => value.toFixed(4)).join(', ')})`;
  return `---
library_name: pytorch
tags: [${architecture}, robustness, stability-training]
---

# ${'width' in network ? 'ResNet-18' : network.name}, ${runTitle(spec)}

${method.kind === 'own' ? `Trained by the user-defined method ${method.name}, with the library for` : `Trained by the method ${method.kind} of`} [*Achieving Generalizable Robustness of Deep Neural Networks by Stability Training*](https://arxiv.org/abs/1906.00735)
(Laermann, Samek, Strodthoff 2019).

| | |
|---|---|
| run | \`${id}\`, seed ${spec.seed} |
| data | ${dataset}: ${spec.dataset.train} training and ${spec.dataset.validation} validation images, ${classes} classes |
| network | ${'width' in network ? `ResNet-18, ${network.width} base channels, stem \`${network.stem}\`` : network.name} |
| batch normalisation | ${batchNormText(batchNorms)} |
| method | \`${JSON.stringify(method)}\` |
| distortion | ${distortion ? `${distortionNamed(distortion.name).title}, ${strengthText(distortionNamed(distortion.name), distortion.strength)}` : 'none'} |
| starts from | ${spec.from ? `the run \`${spec.from}\`` : 'random weights'} |
| training | epoch ${bestEpoch} of ${spec.epochs}, batches of ${spec.batchSize}, learning rate ${spec.learningRate}, ${spec.precision} |
| validation accuracy | ${percent(history[bestEpoch - 1].validationAccuracy)} |
| computed | ${finished.slice(0, 10)} on ${device.name} in ${duration(seconds)}, version ${version} |

## Accuracy on the test images

${table}

## Loading it in PyTorch

\`weights.safetensors\` has ${'width' in network ? "torchvision's names and layout" : "the network's own names, in torch's layout"}.

\`\`\`python
from safetensors.torch import load_file
${networkPython(network, classes)}
\`\`\`

Images \`[batch, 3, ${input.cropSide}, ${input.cropSide}]\`: RGB, 0..1, the shorter side scaled to ${input.sourceSide} px, the centre crop of
${input.cropSide} px, less the mean ${numbers(input.mean)}, divided by the deviation ${numbers(input.deviation)} of the channels.
A distortion comes before that normalisation. \`config.json\` lists the classes in the order of the logits, and all numbers in full.
`;
}

/** Writes Python code for torchvision's own network, or for one of another width or stem built from its blocks. */
function networkPython(network: NetworkForm, classes: number): string {
  if (!('width' in network)) {
    return `
# Copy these, name by name, into the same network in torch: ${network.name}. When flattening, torch puts the channels
# first, TensorFlow.js last: permute the inputs of the layer that follows.
for name, values in load_file("weights.safetensors").items():
    print(name, tuple(values.shape))`;
  }
  const { width, stem } = network;
  const isOwn = width !== 64 || stem !== 'imagenet';
  const conv = stem === 'imagenet' ? 'kernel_size=7, stride=2, padding=3' : 'kernel_size=3, padding=1';
  const parts = [
    `network.inplanes = ${width}`,
    `network.conv1 = nn.Conv2d(3, ${width}, ${conv}, bias=False)`,
    ...(stem === 'small' ? ['network.maxpool = nn.Identity()'] : []),
    `network.bn1 = nn.BatchNorm2d(${width})`,
    `network.layer1 = network._make_layer(BasicBlock, ${width}, 2)`,
    ...[2, 3, 4].map(
      (layer) =>
        `network.layer${layer} = network._make_layer(BasicBlock, ${2 ** (layer - 1) * width}, 2, stride=2)`,
    ),
    `network.fc = nn.Linear(${8 * width}, ${classes})`,
  ];
  return [
    'from torch import nn',
    'from torchvision.models import resnet18',
    ...(isOwn ? ['from torchvision.models.resnet import BasicBlock'] : []),
    '',
    `network = resnet18(num_classes=${classes})`,
    ...(isOwn ? parts : []),
    'network.load_state_dict(load_file("weights.safetensors"))',
    'network.eval()',
  ].join('\n');
}
