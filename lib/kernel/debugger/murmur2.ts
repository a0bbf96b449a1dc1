const factor = 0x5bd1e995;

/**
 * Computes MurmurHash2 of a text's UTF-8 bytes, so that front ends and kernels give a cell the same name.
 *
 * Source: Austin Appleby, https://github.com/aappleby/smhasher; `murmur2` of JupyterLab's `@jupyterlab/debugger`.
 */
export function murmur2(text: string, seed: number): number {
  const bytes = Buffer.from(text, 'utf8');
  const whole = bytes.length & ~3;
  let hash = seed ^ bytes.length;
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), factor);
    word ^= word >>> 24;
    hash = Math.imul(hash, factor) ^ Math.imul(word, factor);
  }
  if (whole < bytes.length) {
    hash = Math.imul(hash ^ bytes.readUIntLE(whole, bytes.length - whole), factor);
  }
  hash = Math.imul(hash ^ (hash >>> 13), factor);
  return (hash ^ (hash >>> 15)) >>> 0;
}
