import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, Locator, Page } from 'playwright-core';
import { launchBrowser } from './browser';
import { installTestKernelspec, python, root } from './kernel';
import { freePorts } from './ports';

/** Writes code cells, without outputs, as a notebook file for our kernel. */
export async function writeNotebook(file: string, cells: readonly string[]): Promise<void> {
  const kernelspec = { name: 'stability-training', display_name: 'TypeScript', language: 'typescript' };
  const codeCell = (source: string, index: number) => ({
    cell_type: 'code',
    id: `cell-${index}`,
    execution_count: null,
    metadata: {},
    outputs: [],
    source,
  });
  const notebook = { nbformat: 4, nbformat_minor: 5, metadata: { kernelspec }, cells: cells.map(codeCell) };
  await writeFile(file, JSON.stringify(notebook));
}

/** A JupyterLab on 127.0.0.1 that has our kernel and none of the user's settings, and a browser. */
export class JupyterLab {
  readonly #server: ChildProcess;
  readonly #browser: Browser;
  readonly #folder: string;
  readonly #url: string;
  readonly #token: string;

  private constructor(server: ChildProcess, browser: Browser, folder: string, url: string, token: string) {
    this.#server = server;
    this.#browser = browser;
    this.#folder = folder;
    this.#url = url;
    this.#token = token;
  }

  /** @param directory where its notebooks lie */
  static async start(directory: string): Promise<JupyterLab> {
    const folder = await mkdtemp(join(tmpdir(), 'jupyterlab-'));
    await installTestKernelspec(join(folder, 'data', 'kernels'));
    // Renders all cells, not only those in view.
    const settings = join(folder, 'settings', '@jupyterlab', 'notebook-extension');
    await mkdir(settings, { recursive: true });
    await writeFile(join(settings, 'tracker.jupyterlab-settings'), '{ "windowingMode": "none" }');
    const [port] = await freePorts(1);
    const token = randomUUID();
    let log = '';
    const server = spawn(
      python,
      [
        '-m',
        'jupyterlab',
        '--allow-root',
        '--no-browser',
        `--ServerApp.port=${port}`,
        '--ServerApp.port_retries=0',
        `--ServerApp.root_dir=${directory}`,
        `--IdentityProvider.token=${token}`,
      ],
      {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          JUPYTER_PATH: join(folder, 'data'),
          JUPYTER_CONFIG_DIR: join(folder, 'config'),
          JUPYTER_CONFIG_PATH: join(root, 'scripts', 'jupyter'),
          JUPYTER_RUNTIME_DIR: join(folder, 'runtime'),
          JUPYTERLAB_SETTINGS_DIR: join(folder, 'settings'),
          JUPYTERLAB_WORKSPACES_DIR: join(folder, 'workspaces'),
        },
      },
    );
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => (log += chunk));
    const url = `http://127.0.0.1:${port}`;
    const answers = async () => (await fetch(`${url}/api/status?token=${token}`).catch(() => undefined))?.ok;
    for (const end = Date.now() + 60_000; !(await answers()); await sleep(200)) {
      assert.ok(Date.now() < end && server.exitCode === null, `JupyterLab does not start:\n${log}`);
    }
    return new JupyterLab(server, await launchBrowser(), folder, url, token);
  }

  /** @param path of a notebook, relative to the directory */
  async open(path: string): Promise<NotebookPage> {
    const page = await this.#browser.newPage({ viewport: { width: 1200, height: 1100 } });
    // Its own workspace, so that no other notebook opens with it.
    const workspace = randomUUID();
    await page.goto(`${this.#url}/lab/workspaces/${workspace}/tree/${path}?token=${this.#token}`);
    const notebook = new NotebookPage(page);
    await notebook.idle(120_000);
    // JupyterLab reports it a little before it is true.
    await sleep(3000);
    return notebook;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    const ended = once(this.#server, 'exit');
    this.#server.kill('SIGTERM');
    await ended;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A notebook in the browser. Only code cells are counted, from 0. */
export class NotebookPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  cell(index: number): Locator {
    return this.page.locator('.jp-Notebook .jp-CodeCell').nth(index);
  }

  /** Chooses an item of the main menu, as in `menu('Run', 'Run All Cells')`. */
  async menu(menu: string, item: string): Promise<void> {
    await this.page
      .locator('#jp-MainMenu .lm-MenuBar-itemLabel', { hasText: new RegExp(`^${menu}$`) })
      .click();
    await this.page.locator('.lm-Menu-itemLabel', { hasText: new RegExp(`^${item}$`) }).click();
  }

  /** Starts all cells. */
  runAll(): Promise<void> {
    return this.menu('Run', 'Run All Cells');
  }

  /** Saves the file, with its outputs. */
  async save(): Promise<void> {
    await this.menu('File', 'Save Notebook');
    await this.page.waitForFunction(() => !document.querySelector('.lm-TabBar-tab.jp-mod-dirty'));
  }

  /** Starts one cell and stays in it. */
  async run(index: number): Promise<void> {
    await this.cell(index).locator('.cm-content').click();
    await this.page.keyboard.press('Control+Enter');
  }

  /** Waits until nothing runs. */
  async idle(timeoutMs = 60_000): Promise<void> {
    await this.page
      .locator('.jp-NotebookPanel:visible .jp-Notebook-ExecutionIndicator[data-status="idle"]')
      .waitFor({ timeout: timeoutMs });
    await this.page.waitForFunction(
      () =>
        ![...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some((prompt) =>
          prompt.textContent?.includes('*'),
        ),
      undefined,
      { timeout: timeoutMs },
    );
  }

  /** Waits until a cell runs. */
  async running(index: number): Promise<void> {
    await this.cell(index).locator('.jp-InputPrompt', { hasText: '*' }).waitFor();
  }

  /** Presses the stop button. */
  async stop(): Promise<void> {
    await this.page
      .locator('.jp-NotebookPanel:visible [data-command="notebook:interrupt-kernel"]')
      .first()
      .click();
  }

  /** Returns the text of the outputs under a cell. */
  async output(index: number): Promise<string> {
    return (await this.cell(index).locator('.jp-OutputArea-output').allTextContents()).join('\n');
  }

  /** Waits until the text under a cell matches. */
  async outputMatching(index: number, pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    await this.cell(index)
      .locator('.jp-OutputArea', { hasText: pattern })
      .first()
      .waitFor({ timeout: timeoutMs });
    return this.output(index);
  }

  /** Replaces the code of a cell, and leaves the cursor at its end. */
  async type(index: number, code: string): Promise<void> {
    await this.cell(index).locator('.cm-content').click();
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.type(code);
  }

  /** Drags something to the right (or left, if negative) by `pixels`, in small steps as a hand does. */
  async drag(what: Locator, pixels: number): Promise<void> {
    const box = await what.boundingBox();
    assert.ok(box);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    await this.page.mouse.move(x + pixels, y, { steps: 20 });
    await this.page.mouse.up();
  }

  /** Saves the whole window as PNG. */
  async screenshot(path: string): Promise<void> {
    await this.page.screenshot({ path });
  }

  close(): Promise<void> {
    return this.page.close();
  }
}
