import { readFileSync } from 'node:fs';
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

/** The device that TensorFlow computes on. */
export function device(): DeviceInfo {
  const isGpu = backend.isUsingGpuDevice;
  known ??= {
    kind: isGpu ? 'gpu' : 'cpu',
    name: (isGpu ? gpuName() : undefined) ?? cpuName(),
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism(),
    tensorflow: backend.binding.TF_Version,
    tfjs: tf.version_core,
    node: process.version,
    bfloat16: isGpu || /\b(avx512_bf16|amx_bf16)\b/.test(read('/proc/cpuinfo')),
  };
  return known;
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
