import os from 'node:os';

let last = measure();

/**
 * Returns the content of a `usage_reply`: what the process and the machine use, for JupyterLab's resource panel. Processor
 * shares, in percent, are those since the last call.
 */
export function usage(): object {
  const before = last;
  last = measure();
  const [free, total] = [os.freemem(), os.totalmem()];
  const used = total - free;
  return {
    hostname: os.hostname(),
    pid: process.pid,
    kernel_cpu: percent(last.own - before.own, last.time - before.time),
    kernel_memory: process.memoryUsage.rss(),
    cpu_count: os.cpus().length,
    host_cpu_percent: percent(last.busy - before.busy, last.whole - before.whole),
    host_virtual_memory: { total, available: free, free, used, percent: percent(used, total) },
  };
}

/** Measures milliseconds: of the clock, of this process, and of all processors together, busy and in total. */
function measure(): { time: number; own: number; busy: number; whole: number } {
  const { user, system } = process.cpuUsage();
  const times = os.cpus().map((cpu) => cpu.times);
  const whole = times.reduce((sum, cpu) => sum + Object.values(cpu).reduce((a, b) => a + b, 0), 0);
  const idle = times.reduce((sum, cpu) => sum + cpu.idle, 0);
  return { time: performance.now(), own: (user + system) / 1000, busy: whole - idle, whole };
}

function percent(part: number, whole: number): number {
  return whole > 0 ? (100 * part) / whole : 0;
}
