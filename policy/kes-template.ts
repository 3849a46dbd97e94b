/** Rules on spec.template of an ExternalSecret of KES, which is merged into the Secret. */
import { isJsonObject } from '../api/json.ts';
import type { FieldPath, Report } from '../api/problem.ts';
import { checkLodash, isLodash } from '../template/lodash/lodash.ts';
import { labelKeyError, labelValueError } from './label-syntax.ts';

type Template = Readonly<Record<string, unknown>> | undefined;

const isScalar = (value: unknown): boolean => value === null || typeof value !== 'object';

/** What is merged into a Secret; of the metadata see METADATA. */
const FIELDS = ['type', 'metadata', 'data', 'stringData', 'immutable'];
const METADATA = ['labels', 'annotations', 'finalizers'];
const SECRET_KEY = /^[-._a-zA-Z0-9]{1,253}$/;

/** The maps of a template with what their values have to be. */
const MAPS: readonly (readonly [path: readonly string[], of: 'scalar' | 'text'])[] = [
  [['metadata', 'labels'], 'scalar'],
  [['metadata', 'annotations'], 'scalar'],
  [['data'], 'text'],
  [['stringData'], 'text'],
];

const at = (template: Template, path: readonly string[]): unknown =>
  path.reduce<unknown>((value, name) => (isJsonObject(value) ? value[name] : undefined), template);

export function validateKesTemplate(template: Template, report: Report): void {
  if (template === undefined) return;
  for (const name of ['type', 'immutable', 'metadata'] as const) {
    const value = template[name];
    const right =
      value === undefined ||
      (name === 'metadata' ? isJsonObject(value) : typeof value === (name === 'type' ? 'string' : 'boolean'));
    if (!right) report('kes-template-shape', ['template', name], `must be ${SHAPES[name]}`);
  }
  const finalizers = at(template, ['metadata', 'finalizers']);
  if (
    finalizers !== undefined &&
    !(Array.isArray(finalizers) && finalizers.every((one) => typeof one === 'string'))
  )
    report('kes-template-shape', ['template', 'metadata', 'finalizers'], 'must be a list of texts');
  for (const [path, of] of MAPS) validateMap(at(template, path), of, ['template', ...path], report);
}

const SHAPES = { type: 'a text', immutable: 'true or false', metadata: 'an object' } as const;

function validateMap(map: unknown, of: 'scalar' | 'text', path: FieldPath, report: Report): void {
  if (map === undefined || map === null) return;
  if (!isJsonObject(map)) {
    report('kes-template-shape', path, 'must be an object whose members are texts');
    return;
  }
  for (const [key, value] of Object.entries(map)) {
    const where = [...path, key];
    if (of === 'scalar' ? !isScalar(value) : typeof value !== 'string') {
      report('kes-template-shape', where, 'must be a text');
      continue;
    }
    validateKey(key, path, where, report);
    if (typeof value !== 'string') continue;
    const problem = checkLodash(value);
    if (problem !== undefined)
      report('kes-template', where, `the lodash template cannot be used: ${problem.message}`);
    else if (!isLodash(value)) validatePlain(value, path, where, report);
  }
}

function validateKey(key: string, path: FieldPath, where: FieldPath, report: Report): void {
  const kind = path.at(-1);
  if (kind === 'data' || kind === 'stringData') {
    if (!SECRET_KEY.test(key)) report('kes-template-key', where, 'cannot be a key of a Secret');
    return;
  }
  const reason = labelKeyError(kind === 'annotations' ? key.toLowerCase() : key);
  if (reason !== undefined) report('kes-template-key', where, reason);
}

/** A text without a template is what the Secret gets. */
function validatePlain(value: string, path: FieldPath, where: FieldPath, report: Report): void {
  const kind = path.at(-1);
  if (kind === 'labels') {
    const reason = labelValueError(value);
    if (reason !== undefined) report('kes-template-value', where, reason);
  }
  if (kind === 'data' && !isBase64(value))
    report('kes-template-value', where, 'must be base64; plain text goes into stringData');
}

/** As the API server takes it for data of a Secret. */
export const isBase64 = (text: string): boolean =>
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replaceAll(/[\r\n]/g, ''));

/** What KES would merge and here means nothing, and what does not stay as it was written. */
export function templateWarnings(template: Template, report: Report): void {
  if (template === undefined) return;
  const metadata = at(template, ['metadata']);
  const ignored: FieldPath[] = [
    ...Object.keys(template).flatMap((name) => (FIELDS.includes(name) ? [] : [['template', name]])),
    ...Object.keys(isJsonObject(metadata) ? metadata : {}).flatMap((name) =>
      METADATA.includes(name) ? [] : [['template', 'metadata', name]],
    ),
  ];
  for (const path of ignored)
    report('kes-template-ignored', path, 'is not taken from the template; leave it out');
  for (const path of [
    ['metadata', 'labels'],
    ['metadata', 'annotations'],
  ]) {
    const map = at(template, path);
    for (const [key, value] of Object.entries(isJsonObject(map) ? map : {})) {
      if (typeof value === 'string' || !isScalar(value)) continue;
      report(
        'kes-template-scalar',
        ['template', ...path, key],
        `is written as the text "${String(value)}"; quote it`,
      );
    }
  }
}
