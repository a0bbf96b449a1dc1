import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { JupyterLab } from './support/jupyterlab';

const [themes, ...names] = process.argv.slice(2);
(async () => {
  for (const theme of themes.split(',')) {
    const lab = await JupyterLab.start('/work/main/notebooks');
    const newest = readdirSync('/tmp')
      .filter((f) => f.startsWith('jupyterlab-'))
      .map((f) => `/tmp/${f}`)
      .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
    const folder = `${newest}/settings/@jupyterlab/apputils-extension`;
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/themes.jupyterlab-settings`, JSON.stringify({ theme: `JupyterLab ${theme}` }));
    for (const name of names) {
      const notebook = await lab.open(`${name}.ipynb`);
      await notebook.page.setViewportSize({ width: 1300, height: 9000 });
      await sleep(6000);
      const file = `/tmp/shots/${name}-${theme}.png`;
      await notebook.page.screenshot({ path: file });
      // as three columns
      const { width = 0 } = await sharp(file).metadata();
      const [left, w] = [300, width - 300];
      const parts = await Promise.all(
        [0, 1, 2].map((k) =>
          sharp(file)
            .extract({ left, top: 3000 * k, width: w, height: 3000 })
            .toBuffer(),
        ),
      );
      await sharp({ create: { width: 3 * w, height: 3000, channels: 3, background: 'white' } })
        .composite(parts.map((input, k) => ({ input, left: k * w, top: 0 })))
        .png()
        .toBuffer()
        .then((b) => sharp(b).resize({ width: 2000 }).toFile(`/tmp/shots/sheet-${name}-${theme}.png`));
      console.log(name, theme);
      await notebook.close();
    }
    await lab.stop();
  }
})();
