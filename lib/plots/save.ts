import { rename, rm, writeFile } from 'node:fs/promises';

/** Writes a file whole or not at all: aside first, then renamed into place. */
export async function saveWhole(path: string, content: string | Uint8Array): Promise<void> {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(aside, content);
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}
