/** The network, its weights and the losses of Eqs. 1 to 6. */
export { klDivergence, symmetricKlDivergence, taskLoss } from './losses';
export { type ForwardOptions, fromFunctions, fromLayers, Network, type NetworkFunctions } from './network';
export {
  type Precision,
  ResNet,
  ResNet18,
  ResNet34,
  ResNet50,
  type ResNetOptions,
  type Stem,
} from './resnet';
export { type LoadOptions, loadWeights, resNetFrom, saveWeights } from './weights';
