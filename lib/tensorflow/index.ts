export { type CompiledStep, type CompileOptions, compile, recordings } from './compile';
export { conv2d } from './convolution';
export { type DeviceInfo, device } from './device';
export { correlate } from './fourier';
export type { Graph, GraphNode } from './graph';
export { layerVariables } from './layers';
export {
  add,
  addBias,
  type BatchNormConstants,
  batchMatMul,
  batchNorm,
  castTo,
  crossEntropy,
  foldBatchNorm,
  globalAveragePool,
  mean,
  relu,
  reluMaxPool,
  slice,
  sum,
} from './ops';
export { gradientOf, Nesterov, valueAndGradients } from './optimizer';
export { dropout, hashSeed, normalTensor, randomNormal, randomUniform, uniformTensor } from './random';
export type { NamedTensors } from './recorder';
export {
  type Attribute,
  attribute,
  DataType,
  dataTypeOf,
  executeOne,
  type LayersModel,
  type Scalar,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor4D,
  tf,
  uint8Tensor,
} from './runtime';
export { Variable } from './variable';
