/**
 * The fenced blocks of a page, and what becomes of each in the tests. A marker is an HTML comment right above
 * a fence, which readers do not see:
 *
 *   <!-- apply -->                  the manifests are applied, not only tried
 *   <!-- refused: TEXT -->          applying them is refused, with these words in the answer
 *   <!-- in: KIND/NAME PATH -->     a part, put into an earlier manifest of the page and then tried
 *   <!-- run by: FILE -->           that test runs the block
 *   <!-- not run: REASON -->        nobody can
 *   <!-- run ... -->                a script that stands in no block: what has to be there before, and to go afterwards
 *   <!-- page run by: FILE -->      that test follows the whole page
 */
import { parseAllDocuments } from 'yaml';

export interface Block {
  /** Line of the fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** The words of the comment above it. */
  readonly marker: string | undefined;
}

/** What the tests do with a block; scripts that stand in no block are among them. */
export type Treatment =
  /** Commands, with what they print if the page says it. */
  | { readonly how: 'commands'; readonly commands: readonly Command[]; readonly offline: boolean }
  | { readonly how: 'file'; readonly name: string }
  | { readonly how: 'dry-run' | 'apply'; readonly manifests: readonly Manifest[] }
  | { readonly how: 'refused'; readonly manifests: readonly Manifest[]; readonly words: string }
  | { readonly how: 'elsewhere'; readonly test: string }
  | { readonly how: 'not run'; readonly reason: string }
  /** Of a language that nobody runs. */
  | { readonly how: 'shown' };

export interface Command {
  readonly script: string;
  /** The lines that it prints; undefined if the page does not say. */
  readonly printed: string | undefined;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly [member: string]: unknown;
  };
  readonly [member: string]: unknown;
}

export interface Step {
  readonly line: number;
  readonly treatment: Treatment;
}

export interface Page {
  /** Path from the root of the repository. */
  readonly file: string;
  /** In the order of the page. */
  readonly steps: readonly Step[];
  /** Files by name that the page shows and its commands find. */
  readonly files: ReadonlyMap<string, string>;
  /** What is wrong with its markers; each begins with the file and line. */
  readonly faults: readonly string[];
}

const SHOWN = new Set([
  'text',
  'json',
  'hcl',
  'ts',
  'tsx',
  'diff',
  'promql',
  'mermaid',
  'dockerfile',
  'toml',
]);
const RUN = new Set(['sh', 'console', 'yaml']);
/** Programs that need the cluster or a provider; without one of them a block runs anywhere. */
const NEEDS_BED =
  /\b(kubectl|kustomize|helm|bao|vault|curl|make|git|node|npm|npx|docker|promtool|cosign)\s|\besa (explain|refresh|who-uses|doctor|dev)\b/;

/** A comment that only ends far below would swallow the page, so it has to end before the next one begins. */
const COMMENT = /^<!--((?:(?!<!--)[\s\S])*?)-->[ \t]*$/;

type Piece =
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'comment'; readonly line: number; readonly words: string };

/** Blocks and comments of a page, in order; a comment belongs to the block that follows it without text between. */
function piecesOf(text: string): readonly Piece[] {
  const lines = text.split('\n');
  const pieces: Piece[] = [];
  let marker: string | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const fence = /^( *)(```+)([^\s`]*)/.exec(line);
    if (fence !== null) {
      const [, indent = '', ticks = '', language = ''] = fence;
      const body: string[] = [];
      const first = at;
      while (at + 1 < lines.length && (lines[at + 1] ?? '').trim() !== ticks) {
        at += 1;
        body.push((lines[at] ?? '').replace(indent, ''));
      }
      at += 1;
      pieces.push({
        kind: 'block',
        block: { line: first + 1, language, text: body.map((one) => `${one}\n`).join(''), marker },
      });
      marker = undefined;
    } else if (line.startsWith('<!--')) {
      const first = at;
      let comment = line;
      while (!comment.includes('-->') && at + 1 < lines.length) {
        at += 1;
        comment += `\n${lines[at] ?? ''}`;
      }
      const words = (COMMENT.exec(comment)?.[1] ?? '').trim();
      if (words.startsWith('run\n') || words.startsWith('page run by:'))
        pieces.push({ kind: 'comment', line: first + 1, words });
      else marker = words;
    } else if (line.trim() !== '') marker = undefined;
  }
  return pieces;
}

/** The fenced blocks of a page, in its order. */
export const blocksOf = (text: string): readonly Block[] =>
  piecesOf(text).flatMap((piece) => (piece.kind === 'block' ? [piece.block] : []));

const NAMED = /^# ([\w.-]+\.(?:ya?ml|json|txt|hcl|pem))\n/;

const isManifest = (value: unknown): value is Manifest =>
  typeof value === 'object' &&
  value !== null &&
  'apiVersion' in value &&
  'kind' in value &&
  'metadata' in value;

function parseDocuments(text: string): readonly unknown[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(error.message.split('\n')[0] ?? '');
    return document.toJS() as unknown;
  });
}

type Tree = Record<string, unknown>;
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `whole` with the members of `part` at a path; below `metadata`, `spec` and `target` what is not named stays. */
export function putInto(whole: Manifest, path: string, part: object): Manifest {
  const copy = structuredClone(whole);
  let at: Tree = copy;
  for (const name of path.split('.').filter((one) => one !== '')) {
    const next = at[name] ?? {};
    if (!isTree(next)) throw new Error(`${path}: ${name} is no object`);
    at[name] = next;
    at = next;
  }
  const merge = (into: Tree, from: object): void => {
    for (const [name, value] of Object.entries(from)) {
      const there = into[name];
      if (
        ['metadata', 'annotations', 'labels', 'spec', 'target'].includes(name) &&
        isTree(there) &&
        isTree(value)
      )
        merge(there, value);
      else into[name] = value;
    }
  };
  merge(at, part);
  return copy;
}

/** `$ command` and what it prints, of a console block. */
export function commandsOf(text: string): readonly Command[] {
  const commands: { script: string; printed: string }[] = [];
  let open = false;
  for (const line of text.split('\n').slice(0, -1)) {
    const last = commands.at(-1);
    if (line.startsWith('$ ')) {
      commands.push({ script: line.slice(2), printed: '' });
      open = line.endsWith('\\');
    } else if (last === undefined) throw new Error('a console block begins with `$ command`');
    else if (open) {
      last.script += `\n${line.replace(/^> /, '')}`;
      open = line.endsWith('\\');
    } else last.printed += `${line}\n`;
  }
  return commands;
}

/** Reads a page. `file` is only a name here. */
export function readPage(file: string, text: string): Page {
  const faults: string[] = [];
  const pieces = piecesOf(text);
  const files = new Map<string, string>();
  const scripts: string[] = [];
  for (const piece of pieces) {
    if (piece.kind === 'comment') scripts.push(piece.words);
    else if (piece.block.language === 'sh' || piece.block.language === 'console')
      scripts.push(piece.block.text);
    const name = piece.kind === 'block' ? NAMED.exec(piece.block.text)?.[1] : undefined;
    if (piece.kind === 'block' && name !== undefined) files.set(name, piece.block.text);
  }
  const isUsed = (name: string): boolean => scripts.some((script) => script.includes(name));
  const whole = pieces
    .map((piece) => (piece.kind === 'comment' ? /^page run by: (\S+)$/.exec(piece.words)?.[1] : undefined))
    .find((test) => test !== undefined);

  const earlier = new Map<string, Manifest>();
  const treat = (block: Block): Treatment => {
    const { language, text: body, marker } = block;
    const not = /^not run: (.+)$/s.exec(marker ?? '')?.[1];
    if (not !== undefined) return { how: 'not run', reason: not };
    const by = /^run by: (\S+)$/.exec(marker ?? '')?.[1] ?? (RUN.has(language) ? whole : undefined);
    if (by !== undefined) return { how: 'elsewhere', test: by };
    if (SHOWN.has(language)) return { how: 'shown' };
    if (!RUN.has(language))
      throw new Error(
        language === ''
          ? 'the block has no language: `text` if it is none'
          : `nobody knows what \`${language}\` is: say sh, console, yaml or one of ${[...SHOWN].join(', ')}`,
      );
    if (language === 'sh')
      return {
        how: 'commands',
        commands: [{ script: body, printed: undefined }],
        offline: false,
      };
    if (language === 'console') {
      const commands = commandsOf(body);
      return { how: 'commands', commands, offline: !commands.some(({ script }) => NEEDS_BED.test(script)) };
    }
    const name = NAMED.exec(body)?.[1];
    if (name !== undefined && isUsed(name) && marker === undefined) return { how: 'file', name };
    const into = /^in: (\w+)\/([\w.-]+) (\S+)$/.exec(marker ?? '');
    const documents = parseDocuments(body);
    if (into !== null) {
      const [, kind = '', objectName = '', path = ''] = into;
      const target = earlier.get(`${kind}/${objectName}`);
      const [part] = documents;
      if (target === undefined) throw new Error(`no manifest ${kind}/${objectName} stands before it`);
      if (documents.length !== 1 || !isTree(part)) throw new Error('a part is one object');
      return { how: 'dry-run', manifests: [putInto(target, path, part)] };
    }
    const manifests = documents.filter((one) => one !== null).filter(isManifest);
    if (manifests.length !== documents.filter((one) => one !== null).length || manifests.length === 0)
      throw new Error(
        'no manifest: mark it with `<!-- in: KIND/NAME PATH -->` or `<!-- not run: REASON -->`',
      );
    for (const manifest of manifests) earlier.set(`${manifest.kind}/${manifest.metadata.name}`, manifest);
    const words = /^refused: (.+)$/s.exec(marker ?? '')?.[1];
    if (words !== undefined) return { how: 'refused', manifests, words };
    if (marker !== undefined && marker !== 'apply') throw new Error(`nobody knows the marker \`${marker}\``);
    return { how: marker === 'apply' ? 'apply' : 'dry-run', manifests };
  };

  const steps: Step[] = [];
  for (const piece of pieces) {
    if (piece.kind === 'comment') {
      const script = piece.words.replace(/^run\n/, '');
      if (script !== piece.words)
        steps.push({
          line: piece.line,
          treatment: { how: 'commands', commands: [{ script, printed: undefined }], offline: false },
        });
      continue;
    }
    const { line } = piece.block;
    try {
      steps.push({ line, treatment: treat(piece.block) });
    } catch (error) {
      faults.push(`${file}:${line}: ${(error as Error).message}`);
    }
  }
  return { file, steps, files, faults };
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** Whether the lines that came are those of the page, where `...` stands for anything. */
export function isAsPrinted(wanted: string, came: string, { blanks = false } = {}): boolean {
  const plain = (text: string): string => (blanks ? text.replaceAll(/[ \t]+/g, ' ') : text).trimEnd();
  const pattern = plain(wanted)
    .split('\n')
    .map((line) =>
      line.trim() === '...'
        ? String.raw`(?:.*(?:\n|$))*?`
        : `${line.split('...').map(literally).join('.*')}(?:\\n|$)`,
    )
    .join('');
  return new RegExp(`^${pattern}$`).test(plain(came));
}
