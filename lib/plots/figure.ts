import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { ArgumentError } from '../io/errors';
import { writeWhole } from '../io/files';
import { type MimeBundle, mimeBundle } from '../notebook/mime';
import { type PlotlyPayload, plotlyPath, renderSvg } from './plotly';
import { baseConfig, escapeMarkup } from './style';

/**
 * A Plotly figure that shows itself anywhere: interactive in JupyterLab and VS Code, as SVG where no script runs, as
 * text in a terminal.
 */
export class Figure {
  readonly payload: PlotlyPayload;
  /** The same in words or as a text table: for terminals, for readers who cannot see the picture, and for diffs. */
  readonly text: string;

  constructor({ data, layout, config = baseConfig, text }: PlotlyPayload & Pick<Figure, 'text'>) {
    this.payload = { data, layout, config };
    this.text = text;
  }

  /** Returns the figure as an SVG document, drawn by plotly.js inside Node: no browser, no network. */
  async toSvg(): Promise<string> {
    const svg = await renderSvg(this.payload);
    return svg.replace('<svg ', `<svg role="img" aria-label="${escapeMarkup(this.text.split('\n', 1)[0])}" `);
  }

  /**
   * Writes the figure to a file in the format of its ending.
   *
   * `.svg`, `.png` (twice the CSS pixels), or `.html`: one interactive page that includes plotly.js (10 MB) and
   * needs no network.
   *
   * @throws ArgumentError for any other ending.
   */
  save(path: string): Promise<void> {
    return saveAs(path, {
      '.svg': () => this.toSvg(),
      '.png': async () => {
        const { default: sharp } = await import('sharp');
        return sharp(Buffer.from(await this.toSvg()), { density: 144 })
          .png()
          .toBuffer();
      },
      '.html': async () => htmlPage(this.payload, this.text, await readFile(plotlyPath(), 'utf8')),
    });
  }

  async [mimeBundle](): Promise<MimeBundle> {
    return {
      'application/vnd.plotly.v1+json': this.payload,
      'image/svg+xml': await this.toSvg(),
      'text/plain': this.text,
    };
  }
}

/** Writes a file by the one of `writers` for its ending. @throws ArgumentError for any other ending */
export async function saveAs(
  path: string,
  writers: Readonly<Record<string, () => string | Uint8Array | Promise<string | Uint8Array>>>,
): Promise<void> {
  const write = writers[extname(path).toLowerCase()];
  if (write === undefined) {
    const endings = Object.keys(writers).join(' or ');
    throw new ArgumentError(`save: expected a path that ends in ${endings}, but got ${path}.`, {
      cure: `Name the file with the ending ${endings}.`,
    });
  }
  writeWhole(path, await write());
}

function htmlPage(payload: PlotlyPayload, text: string, plotly: string): string {
  const json = JSON.stringify(payload).replaceAll('<', '\\u003c');
  return `<!doctype html>
<meta charset="utf-8">
<title>${escapeMarkup(text.split('\n', 1)[0])}</title>
<div id="figure"></div>
<script>${plotly.replaceAll('</script', '<\\/script')}</script>
<script>
  const { data, layout, config } = ${json};
  Plotly.newPlot('figure', data, layout, config);
</script>
`;
}
