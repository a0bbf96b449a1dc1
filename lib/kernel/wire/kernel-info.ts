import { version as typescript } from 'typescript-6/package.json';
import { protocolVersion } from './wire';

/** Returns the content of a `kernel_info_reply`. */
export function kernelInfo(): object {
  return {
    status: 'ok',
    protocol_version: protocolVersion,
    implementation: 'stability-training',
    implementation_version: typescript,
    banner: `TypeScript ${typescript} on Node ${process.version}`,
    help_links: [{ text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' }],
    debugger: true,
    supported_features: ['debugger'],
    language_info: {
      name: 'typescript',
      version: typescript,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      // Holds each front end's own name for TypeScript.
      codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
    },
  };
}
