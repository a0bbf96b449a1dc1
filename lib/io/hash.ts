import { hash } from 'node:crypto';

/** SHA-256 of bytes, or of a text in UTF-8, as lower-case hexadecimal digits. */
export const sha256Of = (content: Uint8Array | string) => hash('sha256', content);

/** Names what a text says: the first hexadecimal digits of its SHA-256. */
export const shortHash = (text: string, digits = 16) => sha256Of(text).slice(0, digits);
