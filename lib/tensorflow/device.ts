import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { backend, tf } from './runtime';

/** The device that computed a run; part of every run record. */
export interface DeviceInfo {
  readonly kind: 'cpu' | 'gpu';
  /** The name of the processor or graphics card. */
  readonly name: string;
  /** Threads that an op may use. */
  readonly threads: number;
  readonly tensorflow: string;
  readonly tfjs: string;
  readonly node: string;
  /** Whether bfloat16 arithmetic runs in hardware: AVX-512 BF16 or AMX on a CPU, Ampere or newer on a GPU. */
  readonly bfloat16: boolean;
}

type Arithmetic = Pick<DeviceInfo, 'kind' | 'bfloat16'>;

let known: DeviceInfo | undefined;
let computes: Arithmetic | undefined;

/** Describes the device that TensorFlow computes on. */
export function device(): DeviceInfo {
  const { kind, bfloat16 } = arithmetic();
  known ??= {
    kind,
    name: (kind === 'gpu' ? gpuName() : undefined) ?? cpuName(),
    threads: Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism(),
    tensorflow: backend().binding.TF_Version,
    tfjs: tf.version_core,
    node: process.version,
    bfloat16,
  };
  return known;
}

/** Paths that exist where NVIDIA's driver is installed: on Linux, under Windows (WSL), on a Jetson. */
const DRIVER = ['/proc/driver/nvidia', '/dev/nvidiactl', '/dev/dxg', '/dev/nvmap'];

/** Tells how the device computes. Without an NVIDIA card, TensorFlow's library, which is slow to load, is not needed. */
export function arithmetic(): Arithmetic {
  if (computes !== undefined) return computes;
  const isGpu = DRIVER.some((path) => existsSync(path)) && backend().isUsingGpuDevice;
  const bfloat16 = isGpu || /\b(avx512_bf16|amx_bf16)\b/.test(read('/proc/cpuinfo'));
  computes = { kind: isGpu ? 'gpu' : 'cpu', bfloat16 };
  return computes;
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
