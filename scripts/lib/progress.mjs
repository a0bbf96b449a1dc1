// @ts-check

/** @param {number} milliseconds */
export function inWords(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/**
 * Shows one step: on a terminal as one live line (time so far, the tool's latest line), elsewhere as plain lines.
 *
 * @param {string} label such as `[3/7] TensorFlow 2.21 (CPU)`
 */
export function showProgress(label) {
  const start = performance.now();
  const { stdout } = process;
  let latest = '';
  const elapsed = () => inWords(performance.now() - start);
  const redraw = () => {
    const line = `${label} … ${elapsed()}${latest && ` · ${latest}`}`;
    stdout.write(`\r\x1b[2K${line.slice(0, (stdout.columns || 80) - 1)}`);
  };
  const reminder = () => console.log(`${label} … ${elapsed()}${latest && ` · ${latest.slice(0, 100)}`}`);
  if (stdout.isTTY) redraw();
  else console.log(`${label} …`);
  const timer = stdout.isTTY ? setInterval(redraw, 200) : setInterval(reminder, 30_000);

  return {
    /** @param {string} line what is being done at the moment */
    say(line) {
      latest = line;
    },
    /** @param {string} [outcome] */
    end(outcome = '') {
      clearInterval(timer);
      if (stdout.isTTY) stdout.write('\r\x1b[2K');
      console.log(`${label} … ${outcome}${elapsed()}`);
    },
  };
}
