// @ts-check
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository, or the package that npm installed: everything that set-up makes lies below it. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Whether this is a checkout of the repository: the package that npm installs has no tsconfig.json. */
export const isCheckout = fs.existsSync(path.join(root, 'tsconfig.json'));

/** Where set-up puts its results: for an installed package beside it, so that the next version finds TensorFlow there. */
export const made = isCheckout ? root : path.join(path.dirname(root), '.cache', 'stability-training');

/**
 * @param {...string} parts path below the repository
 * @returns {string} the absolute path
 */
export const inRoot = (...parts) => path.join(root, ...parts);
