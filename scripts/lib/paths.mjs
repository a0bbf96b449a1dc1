// @ts-check
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository: everything that set-up makes lies below it. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @param {...string} parts path below the repository
 * @returns {string} the absolute path
 */
export const inRoot = (...parts) => path.join(root, ...parts);
