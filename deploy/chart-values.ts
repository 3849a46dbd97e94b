/**
 * What the comments of the chart's values.yaml say, as a JSON schema and as a page. `# -- ` begins the description of the
 * value below it, `# @schema ` is JSON that is added to its schema. Everything else is told by the default: a map with
 * keys has these and no others, an empty one may have any.
 */
import { parse } from 'yaml';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Schema = Record<string, Json>;

interface ValueEntry {
  /** Keys joined by dots. */
  readonly path: string;
  readonly description: string;
  readonly hint: Schema;
  readonly value: Json;
}

/** A value of External Secrets Operator's chart that is no value here (files/eso-values.yaml). */
export interface ForeignValue {
  readonly path: string;
  readonly text: string;
  readonly refused?: boolean;
  readonly means?: readonly Json[];
}

const isMap = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isOpen = (value: { readonly [key: string]: Json }, hint: Schema): boolean =>
  Object.keys(value).length === 0 || hint['additionalProperties'] === true;

/** Descriptions and hints by path. */
function readComments(text: string): Map<string, { readonly description: string; readonly hint: Schema }> {
  const found = new Map<string, { readonly description: string; readonly hint: Schema }>();
  const keys: string[] = [];
  let description = '';
  let hint: Schema = {};
  for (const line of text.split('\n')) {
    const comment = /^ *# (-- |@schema )(.*)$/.exec(line);
    if (comment?.[1] === '-- ') description = comment[2] ?? '';
    else if (comment !== null) hint = JSON.parse(comment[2] ?? '') as Schema;
    const key = /^( *)([\w-]+):/.exec(line);
    if (key?.[2] === undefined) continue;
    keys.length = (key[1] ?? '').length / 2;
    keys.push(key[2]);
    found.set(keys.join('.'), { description, hint });
    description = '';
    hint = {};
  }
  return found;
}

/**
 * Every value that can be set by itself, in the order of the file.
 * @param text values.yaml, indented by two
 * @throws Error for a value without a description
 */
export function readValues(text: string): readonly ValueEntry[] {
  const comments = readComments(text);
  const entries: ValueEntry[] = [];
  const walk = (value: { readonly [key: string]: Json }, above: string): void => {
    for (const [key, child] of Object.entries(value)) {
      const path = above === '' ? key : `${above}.${key}`;
      const { description = '', hint = {} } = comments.get(path) ?? {};
      if (isMap(child) && !isOpen(child, hint)) {
        walk(child, path);
        continue;
      }
      if (description === '' && !isMap(child)) throw new Error(`values.yaml: ${path} has no description`);
      entries.push({ path, description, hint, value: child });
    }
  };
  walk(parse(text) as { readonly [key: string]: Json }, '');
  return entries;
}

function leafSchema({ description, hint, value }: ValueEntry): Schema {
  const type = Array.isArray(value) ? 'array' : isMap(value) ? 'object' : typeof value;
  return {
    ...(description === '' ? {} : { description }),
    type: type === 'number' ? 'integer' : type,
    ...hint,
  };
}

/**
 * The schema of the values: what is not in it is refused.
 * @returns JSON, as the formatter of this repository writes it
 */
export function renderValuesSchema(entries: readonly ValueEntry[], foreign: readonly ForeignValue[]): string {
  const root: Schema = closedMap();
  const put = (path: string, schema: Schema): void => {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let at = root['properties'] as Schema;
    for (const key of keys) {
      at[key] ??= closedMap();
      const map = at[key] as Schema;
      map['properties'] ??= {};
      at = map['properties'] as Schema;
    }
    at[last] = schema;
  };
  for (const entry of entries) put(entry.path, leafSchema(entry));
  for (const { path, text } of foreign) put(path, { description: `External Secrets Operator’s: ${text}` });
  return `${print({ $schema: 'http://json-schema.org/draft-07/schema#', ...root }, '')}\n`;
}

const closedMap = (): Schema => ({ type: 'object', additionalProperties: false, properties: {} });

function print(value: Json, indent: string): string {
  if (!isMap(value)) {
    return Array.isArray(value)
      ? `[${value.map((one: Json) => JSON.stringify(one)).join(', ')}]`
      : JSON.stringify(value);
  }
  const inner = Object.entries(value).map(
    ([key, child]) => `${indent}  ${JSON.stringify(key)}: ${print(child, `${indent}  `)}`,
  );
  return inner.length === 0 ? '{}' : `{\n${inner.join(',\n')}\n${indent}}`;
}

const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

function table(entries: readonly ValueEntry[]): string {
  return [
    '| value | default | |',
    '|---|---|---|',
    ...entries.map(({ path, description, hint, value }) => {
      const choices = Array.isArray(hint['enum'])
        ? ` One of ${hint['enum']
            .filter((one) => one !== '' && typeof one !== 'boolean')
            .map((one) => `\`${String(one)}\``)
            .join(', ')}.`
        : '';
      return row(`\`${path}\``, `\`${JSON.stringify(value)}\``, description + choices);
    }),
  ].join('\n');
}

/** docs/values.md. */
export function renderValuesPage(entries: readonly ValueEntry[], foreign: readonly ForeignValue[]): string {
  const isWebhook = ({ path }: { readonly path: string }): boolean => path.startsWith('webhook.');
  return `# Values of the Helm chart

Where External Secrets Operator has a value for the same thing, its name is used. What stands at the top is about the poller
(its "controller") or about both programs, what stands under \`webhook\` about the webhook. A value that is not in these tables is
refused, so a mistyped one is noticed. How to install: [installing](install.md). This page is generated from
\`deploy/chart/values.yaml\` (\`make generate\`).

## Both programs and the poller

${table(entries.filter((entry) => !isWebhook(entry)))}

## The webhook

${table(entries.filter(isWebhook))}

## Values of External Secrets Operator

A values file for its chart can be used as it is, except for what is refused here. The others of these values change nothing;
\`helm install\` and \`helm upgrade\` say so at their end.

| value | | |
|---|---|---|
${foreign
  .map(({ path, text, refused, means = [] }) => {
    const same = means.map((one) => `\`${JSON.stringify(one)}\``).join(', ');
    const verdict = `${refused ? 'refused' : 'changes nothing'}${same === '' ? '' : `, except ${same}`}`;
    return row(`\`${path}\``, verdict, text);
  })
  .join('\n')}
`;
}
