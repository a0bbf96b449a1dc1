import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { backend, tf } from './runtime';

/** What a run was computed on; part of every run record. */
export interface DeviceInfo {
  readonly kind: 'cpu' | 'gpu';
  /** The processor's or the card's own name. */
  readonly name: string;
  /** Threads that an op may take. */
  readonly threads: number;
  readonly tensorflow: string;
  readonly tfjs: string;
  readonly node: string;
  /** Whether bfloat16 arithmetic runs in hardware: AVX-512 BF16 or AMX on a CPU, Ampere or newer on a GPU. */
  readonly bfloat16: boolean;
}

let known: DeviceInfo | undefined;

/** What NVIDIA's driver puts there: on Linux, under Windows (WSL), on a Jetson. */
const DRIVER = ['/proc/driver/nvidia', '/dev/nvidiactl', '/dev/dxg', '/dev/nvmap'];

/** The device that TensorFlow computes on. */
export function device(): DeviceInfo {
  known ??= look();
  return known;
}

function look(): DeviceInfo {
  // TensorFlow's library is asked only where there may be a card: to load it takes a while.
  const isGpu = DRIVER.some((path) => existsSync(path)) && backend().isUsingGpuDevice;
  return {
    kind: isGpu ? 'gpu' : 'cpu',
    name: (isGpu ? gpuName() : undefined) ?? cpuName(),
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism(),
    get tensorflow() {
      return backend().binding.TF_Version;
    },
    tfjs: tf.version_core,
    node: process.version,
    bfloat16: isGpu || /\b(avx512_bf16|amx_bf16)\b/.test(read('/proc/cpuinfo')),
  };
}

/** Names the processor. Linux on arm64 gives Node no name. */
function cpuName(): string {
  const model = cpus()[0]?.model.trim();
  return model && model !== 'unknown' ? model : `${process.arch} processor`;
}

function gpuName(): string | undefined {
  return /^Model:\s*(.+)$/m.exec(read('/proc/driver/nvidia/gpus/0/information'))?.[1];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
