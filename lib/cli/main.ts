#!/usr/bin/env node
/** `npx stability-training`: the command line. */
import { availableParallelism } from 'node:os';
import { Command, type Option } from 'commander';
import { BuildError } from '../data/build/build';
import { UserError } from '../io/errors';
import { fileError } from '../io/files';
import type * as Experiment from '../runs/experiment';
import type * as Presets from '../runs/presets';
import { commands, type Described, groups } from './commands';
import { Stopped } from './stop';

// Images are decoded in libuv's pool, which is made at its first use.
process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()));

/** A command whose errors say what is wrong with an option, and what it takes. */
class DescribedCommand extends Command {
  /** Commander's own method, missing in its types: suggests the nearest known option. */
  declare readonly unknownOption: (flag: string) => never;

  override createCommand(name?: string): Command {
    return new DescribedCommand(name);
  }

  /** Adds an option that may be given only once: commander would silently take the last value. */
  addUniqueOption(option: Option): void {
    this.addOption(option);
    let times = 0;
    this.on(`option:${option.name()}`, () => {
      times += 1;
      if (times > 1 && !option.variadic) this.error(`error: option '${option.flags}' is given twice`);
    });
  }

  /** Says what value is missing; commander's own method does not. */
  optionMissingArgument({ flags, description }: Option): never {
    this.error(`error: option '${flags}' needs a value: ${description}`);
  }

  /** Names an unknown option first, which may be the missing one mistyped: commander's own method would not get to it. */
  missingMandatoryOptionValue({ flags }: Option): never {
    const unknown = this.args.find((argument) => argument.startsWith('-'));
    if (unknown !== undefined) this.unknownOption(unknown);
    this.error(`error: required option '${flags}' not specified`);
  }
}

const program = new DescribedCommand('stability-training')
  .description('Stability training (Laermann, Samek, Strodthoff 2019) in TypeScript.')
  .showHelpAfterError('(See --help.)')
  .addHelpText(
    'after',
    `
To open the notebooks, run "npm start" in the project folder.

Exit codes: 0 done; 1 an error, or some runs failed; 130 stopped by Ctrl-C (what was done is kept).`,
  );

for (const [name, described] of Object.entries<Described>(commands)) {
  const { description, options, hidden, notes, examples = [], exits } = described;
  const [word, group] = name.split(' ').reverse();
  const command = parentOf(group).command(word, { hidden }).description(description) as DescribedCommand;
  for (const [named, described] of Object.entries(options)) command.addUniqueOption(described.named(named));
  const lines = examples.map((example) => `  npx stability-training ${example}`);
  const texts = [
    notes,
    lines.length > 0 && [lines.length > 1 ? 'Examples:' : 'Example:', ...lines].join('\n'),
    exits && `Exit codes: ${exits}`,
  ];
  command.addHelpText('after', `\n${texts.filter(Boolean).join('\n\n')}`);
  // Loaded when it runs, so that --help does not wait for TensorFlow.
  const load = (): Readonly<Record<string, (given: unknown) => void | Promise<void>>> =>
    require(`./${group ?? word}`);
  command.action(
    async ({ plugin = [], ...given }: { readonly plugin?: readonly string[]; preset?: string }) => {
      if (plugin.length > 0) {
        const { loadPlugins }: typeof Experiment = require('../runs/experiment');
        const { log } = console;
        console.log = console.error; // stdout is for the command's results, perhaps JSON
        await loadPlugins(plugin).finally(() => {
          console.log = log;
        });
        const { knownPresets }: typeof Presets = require('../runs/presets');
        const own = knownPresets().flatMap(({ name, own }) => (own === undefined ? [] : name));
        const isOpen = command.getOptionValueSource('preset') === 'default';
        if (isOpen && own.length > 1)
          command.error(`error: the plugins define ${own.join(', ')}: say which, --preset NAME`);
        if (isOpen && own.length === 1) given.preset = own[0];
      }
      await load()[word](given);
    },
  );
}

function parentOf(group: string | undefined): Command {
  if (group === undefined) return program;
  const known = program.commands.find((command) => command.name() === group);
  return known ?? program.command(group).description(groups[group]);
}

// Work continues if the reader of stdout ends, as head does, or progress cannot be written; results must be written.
process.stderr.on('error', () => {});
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  end(fileError(error, 'stdout'));
  process.exit();
});

program.parseAsync().catch(end);

function end(thrown: unknown): void {
  // Node's timers reject with their own error, whose cause is the signal's reason.
  const reason = thrown instanceof Error && thrown.cause instanceof Stopped ? thrown.cause : thrown;
  const error = fileError(reason);
  if (!(error instanceof UserError)) throw error;
  // A build's message stops after a hundred problems; the others follow here, one per line.
  if (error instanceof BuildError)
    for (const problem of error.problems.slice(100)) console.error(`  ${problem}`);
  console.error(`${error.message}${error.cure === undefined ? '' : `\n→ ${error.cure}`}`);
  process.exitCode = error instanceof Stopped ? 130 : 1;
}
