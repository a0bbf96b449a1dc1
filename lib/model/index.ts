/** The network, its weights and the losses of Eqs. 1 to 6. */
export { klDivergence, symmetricKlDivergence, taskLoss } from './losses';
export { type ForwardOptions, fromFunctions, fromLayers, Network, type NetworkFunctions } from './network';
export { type Precision, ResNet18, type ResNet18Options, type Stem } from './resnet18';
export { type LoadOptions, loadWeights, saveWeights } from './weights';
