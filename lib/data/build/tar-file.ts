import { type FileHandle, open } from 'node:fs/promises';
import { Header } from 'tar';

const BLOCK = 512;

/** A file inside a tar file, readable on its own. */
export interface TarEntry {
  readonly name: string;
  /** Where its contents begin, in bytes from the start of the tar file. */
  readonly start: number;
  readonly size: number;
}

/** A tar file that is read in place, without unpacking; tar files inside it likewise, as they lie there uncompressed. */
export class TarFile {
  private constructor(
    /** What messages call it. */
    readonly name: string,
    readonly file: string,
    private readonly handle: FileHandle,
    private readonly size: number,
  ) {}

  static async open(file: string, name: string): Promise<TarFile> {
    const handle = await open(file);
    return new TarFile(name, file, handle, (await handle.stat()).size);
  }

  /** The files in it, or in the tar file at an entry of it, from header to header. */
  async *entries(inside: Omit<TarEntry, 'name'> = { start: 0, size: this.size }): AsyncGenerator<TarEntry> {
    const end = inside.start + inside.size;
    for (let position = inside.start; position + BLOCK <= end; ) {
      const header = new Header(await this.read({ start: position, size: BLOCK }));
      if (header.nullBlock) return;
      const { size = 0, type, path } = header;
      const start = position + BLOCK;
      if (!header.cksumValid || path === undefined) throw new Error(`no tar header at byte ${position}`);
      if (start + size > end) throw new Error(`truncated: ${path} should end at byte ${start + size}`);
      if (type === 'File' || type === 'OldFile') yield { name: path.replace(/^\.\//, ''), start, size };
      position = start + Math.ceil(size / BLOCK) * BLOCK;
    }
  }

  private async read({ start, size }: Omit<TarEntry, 'name'>): Promise<Buffer> {
    const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(size), 0, size, start);
    if (bytesRead < size) throw new Error(`truncated: ${bytesRead} of ${size} bytes`);
    return buffer;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
