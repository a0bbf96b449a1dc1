import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { DataError } from '../../io/errors';
import { ASIDE } from '../../io/files';

/** A published file. */
export interface Published {
  readonly url: string;
  /** MD5 of the file, as lower-case hexadecimal digits. */
  readonly md5: string;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** What to do if the file cannot be fetched. */
  readonly cure: string;
}

/**
 * Downloads a file, unless it exists. It grows as `<file>.partial`, from which an interrupted download resumes.
 *
 * @throws DataError if the server cannot be reached, or does not send the file that was published
 */
export async function download(
  published: Published,
  file: string,
  { signal, onProgress = () => {}, cure }: DownloadOptions,
): Promise<void> {
  if (existsSync(file)) return;
  const { url, md5 } = published;
  const aside = `${file}${ASIDE}`;
  const begun = existsSync(aside) ? (await stat(aside)).size : 0;
  try {
    const headers = begun > 0 ? { Range: `bytes=${begun}-` } : undefined;
    const response = await fetch(url, { headers, signal });
    const { status, body } = response;
    const isRest = status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${begun}-`);
    if ((status === 200 || isRest) && body !== null) {
      let done = isRest ? begun : 0; // a server that does not support ranges sends the whole file
      const length = Number(response.headers.get('content-length') ?? Number.NaN);
      const total = length >= 0 ? done + length : undefined;
      const counted = async function* (pieces: AsyncIterable<Uint8Array>) {
        for await (const piece of pieces) {
          done += piece.length;
          onProgress(done, total);
          yield piece;
        }
      };
      await pipeline(body, counted, createWriteStream(aside, { flags: isRest ? 'a' : 'w' }), { signal });
    } else {
      await body?.cancel();
      // 416: nothing follows what is already here. The checksum tells whether the file is complete.
      if (status !== 416) throw new Error(`the server answers ${status} ${response.statusText}`);
    }
  } catch (cause) {
    signal.throwIfAborted();
    const { message, cause: reason, syscall } = cause as NodeJS.ErrnoException;
    if (syscall !== undefined) throw cause; // an error of the disk, not of the network
    const why = reason instanceof Error ? reason.message || reason.name : message;
    throw new DataError(`${url}: ${why}`, { cure, cause });
  }

  const found = (await hashOf(aside, 'md5', signal)).toString('hex');
  if (found === md5) return rename(aside, file);
  await rm(aside);
  // The part downloaded earlier may be of another file: start afresh.
  if (begun > 0) return download(published, file, { signal, onProgress, cure });
  throw new DataError(`${url}: not the file that was published: expected MD5 ${md5}, but got ${found}`, {
    cure,
  });
}

/** Computes the checksum of a file, read piece by piece. */
export async function hashOf(file: string, algorithm: 'md5' | 'sha512', signal: AbortSignal) {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(file), hash, { signal });
  return hash.digest();
}
