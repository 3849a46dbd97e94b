/**
 * `esa completion`: a script for the shell, which asks `esa __complete` for each word. That command speaks as those of
 * kubectl and its plugins do (cobra): a candidate a line, with a tab before what it means, and `:N` at the end, where 4
 * says that no file names should follow.
 */
import { Argument, type Command, type Option, Command as Program } from 'commander';
import { namesFor } from './complete/names.ts';
import { BASH, FISH, ZSH } from './complete/scripts.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

const SHELLS = { bash: BASH, zsh: ZSH, fish: FISH } as const;

const HELP = `
  bash:  source <(esa completion bash)           in ~/.bashrc
  zsh:   source <(esa completion zsh)            in ~/.zshrc, behind compinit
  fish:  esa completion fish > ~/.config/fish/completions/esa.fish
`;

export function completionCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return new Program('completion')
    .description('Print a script that completes commands, flags and names in your shell.')
    .addArgument(new Argument('<shell>', 'yours').choices(Object.keys(SHELLS)))
    .addHelpText('after', HELP)
    .action((shell: keyof typeof SHELLS) => {
      terminal.out(SHELLS[shell]);
      done(EXIT.ok);
    });
}

const FILES = 0;
const NO_FILES = 4;

/** Nobody types it. @param root the whole program */
export function completeCommand(root: Command, terminal: Terminal): Command {
  return new Program('__complete')
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const { candidates, files } = await complete(root, words);
      const lines = candidates.map(({ word, meaning }) => (meaning === '' ? word : `${word}\t${meaning}`));
      terminal.out([...lines, `:${files ? FILES : NO_FILES}`].map((line) => `${line}\n`).join(''));
    });
}

interface Candidate {
  readonly word: string;
  readonly meaning: string;
}

interface Completion {
  readonly candidates: readonly Candidate[];
  readonly files: boolean;
}

/** @param words behind `esa`; the last one is what is being typed */
async function complete(root: Command, words: readonly string[]): Promise<Completion> {
  const typed = words.at(-1) ?? '';
  let command = root;
  let option: Option | undefined;
  let place = 0;
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) option = undefined;
    else if (word.startsWith('-')) option = optionOf(command, word);
    else {
      const next = command.commands.find((one) => one.name() === word);
      if (next === undefined) place += 1;
      else [command, place] = [next, 0];
    }
  }
  const inline = /^(--[^=]+)=(.*)$/s.exec(typed);
  if (inline !== null) option = optionOf(command, inline[1] ?? '');
  const begins = inline?.[2] ?? typed;
  if (option !== undefined) {
    const prefix = inline === null ? '' : `${inline[1]}=`;
    const given = option.argChoices ?? (await namesFor(option.long ?? '', words));
    const candidates = (given ?? [])
      .filter((word) => word.startsWith(begins))
      .map((word) => ({ word: `${prefix}${word}`, meaning: '' }));
    return { candidates, files: given === undefined };
  }
  if (typed.startsWith('-')) {
    const options = [...command.options, ...(command === root ? [] : [HELP_OPTION])];
    const candidates = options
      .filter(({ long, hidden }) => !hidden && long?.startsWith(typed) === true)
      .map(({ long, description }) => ({ word: long ?? '', meaning: firstSentence(description) }));
    return { candidates, files: false };
  }
  const commands = command.commands
    .filter((one) => !one.name().startsWith('_') && one.name().startsWith(typed))
    .map((one) => ({ word: one.name(), meaning: firstSentence(one.description()) }));
  if (command.commands.length > 0) return { candidates: commands, files: false };
  const argument = command.registeredArguments.at(place) ?? command.registeredArguments.at(-1);
  if (argument === undefined || (place >= command.registeredArguments.length && !argument.variadic))
    return { candidates: [], files: false };
  const names = argument.argChoices ?? (await namesFor(`${command.name()} ${argument.name()}`, words));
  const candidates = (names ?? [])
    .filter((word) => word.startsWith(typed))
    .map((word) => ({ word, meaning: '' }));
  return { candidates, files: names === undefined };
}

const HELP_OPTION = { long: '--help', description: 'display help for command', hidden: false } as const;

/** Undefined for a switch, and for one with its value behind `=`. */
function optionOf(command: Command, word: string): Option | undefined {
  if (word.includes('=')) return undefined;
  const option = command.options.find(({ long, short }) => long === word || short === word);
  return option?.required === true || option?.optional === true ? option : undefined;
}

const firstSentence = (text: string): string => text.split('\n')[0]?.replace(/\.$/, '') ?? '';
