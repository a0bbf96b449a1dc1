import { hash } from 'node:crypto';

/** Returns the SHA-256 of bytes, or of a text in UTF-8, as lower-case hexadecimal digits. */
export const sha256Of = (content: Uint8Array | string) => hash('sha256', content);

/** Names bytes or a text by the first hexadecimal digits of their SHA-256. */
export const shortHash = (content: Uint8Array | string, digits = 16) => sha256Of(content).slice(0, digits);
