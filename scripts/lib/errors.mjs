// @ts-check

/** A failure that the user can fix: what is wrong, what to do, and what the failing tool printed. */
export class SetupError extends Error {
  /**
   * @param {string} message what is wrong
   * @param {object} options
   * @param {string} options.cure what to do about it
   * @param {readonly string[]} [options.output] what the failing tool printed
   */
  constructor(message, { cure, output = [] }) {
    super(message);
    this.name = 'SetupError';
    this.cure = cure;
    this.output = output;
  }
}

const goOn = 'then run the same command again: what is already there is kept.';

/** Patterns of what tools print when something outside the project fails. The first match counts. */
const knownFailures = [
  {
    pattern: /GET https:\/\/nodejs\.org[\s\S]*configure error/,
    message: 'The headers of this Node were not found, and nodejs.org is out of reach',
    cure: `Take a Node that brings its headers along (from nodejs.org, nvm, NodeSource or the container image node), or name their folder in npm_config_nodedir, ${goOn}`,
  },
  {
    pattern: /ENOSPC|No space left on device/i,
    message: 'The disk is full',
    cure: `Make room, ${goOn}`,
  },
  {
    pattern: /EINTEGRITY|DO NOT MATCH THE HASHES/i,
    message: 'A download is not the file that was pinned',
    cure: `Empty the download caches (npm cache clean --force; .venv/bin/python -m pip cache purge), ${goOn} If it appears again, the registry or a proxy hands out altered files: do not bypass the check.`,
  },
  {
    pattern: /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY)/i,
    message: 'The certificate of the package registry is not trusted here',
    cure: `Behind a company proxy, name its certificate file in NODE_EXTRA_CA_CERTS and PIP_CERT, ${goOn}`,
  },
  {
    pattern:
      /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|NewConnectionError|NameResolution|ConnectTimeout|ReadTimeout|ProxyError|Failed to establish a new connection/i,
    message: 'The package registry is out of reach',
    cure: `Check the network, and behind a proxy HTTPS_PROXY (npm config get registry and pip config list show where npm and pip look), ${goOn}`,
  },
];

/**
 * @param {string} what the command in words
 * @param {readonly string[]} output what it printed
 */
export function failureOf(what, output) {
  const text = output.join('\n');
  const known = knownFailures.find(({ pattern }) => pattern.test(text));
  return known
    ? new SetupError(`${known.message} (${what})`, { cure: known.cure, output })
    : new SetupError(`${what} failed`, {
        cure: `Fix what it says below (environment.md has more), ${goOn}`,
        output,
      });
}
