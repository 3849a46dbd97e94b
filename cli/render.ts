/** `esa render`: the Secret that an ExternalSecret would give, offline, by the engine that webhook and poller use. */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { systemClock } from '../api/clock.ts';
import { EsaError } from '../api/errors.ts';
import { GROUP } from '../api/external-secrets/names.ts';
import type { ExternalSecret } from '../api/external-secrets/v1/index.ts';
import { isJsonObject } from '../api/json.ts';
import { collector, type FieldPath, formatProblem, type Problem } from '../api/problem.ts';
import type { SecretValue } from '../api/secret-value.ts';
import type { SecretObject } from '../kube/objects.ts';
import { checkExternalSecret } from '../policy/check-object.ts';
import { desire } from '../sync/desire.ts';
import { checkKeys } from '../sync/keys.ts';
import { creationPolicyOf, plan } from '../sync/plan.ts';
import { NO_POLICIES } from '../sync/policies.ts';
import { newSecret } from '../sync/secret-patch.ts';
import type { TemplateReader } from '../sync/template-sources.ts';
import { type Manifest, type ManifestObject, type Place, readManifest } from './manifest.ts';
import { OUTPUT_FORMATS, type OutputFormat, printObjects } from './print-object.ts';
import { isTemplateObject, templateObjects } from './template-objects.ts';
import { EXIT, type ExitCode, type Terminal, UsageError } from './terminal.ts';
import { parseValues } from './values.ts';

interface RenderOptions {
  readonly filename: string;
  readonly values: string;
  readonly templateFrom: readonly string[];
  readonly namespace: string;
  readonly output: OutputFormat;
}

const HELP = `
--values stands for the provider: it maps each key to the value that data and dataFrom would have given after
rewrite, conversion and decoding, so none of these is applied here. Where there is no dataFrom only the keys of
data are taken, and each of them has to be there. A string is the value itself, null the empty one, anything else
its JSON text.

ConfigMaps and Secrets for templateFrom come from FILE and from --template-from; other objects are passed over.
Exit code: 0 all rendered, 1 an object or template is wrong, 2 the command was called wrongly.
`;

export function renderCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return new Command('render')
    .description(
      'Print the Secrets that the ExternalSecrets of a file would give, without cluster and provider.',
    )
    .requiredOption('-f, --filename <file>', 'file with ExternalSecrets of any version; - is standard input')
    .requiredOption(
      '--values <json|@file>',
      'JSON object with the values by key, or @ and the file that holds it',
    )
    .option(
      '--template-from <file>',
      'file with ConfigMaps and Secrets that templateFrom names; may be given again',
      (file: string, files: readonly string[]) => [...files, file],
      [],
    )
    .option('-n, --namespace <name>', 'namespace of objects that name none', 'default')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(OUTPUT_FORMATS).default('yaml'))
    .addHelpText('after', HELP)
    .action(async (options: RenderOptions) => done(await render(options, terminal)));
}

async function readText(file: string, option: string, terminal: Terminal): Promise<string> {
  try {
    return Buffer.from(file === '-' ? await terminal.readInput() : await readFile(file)).toString();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'error';
    throw new UsageError(`${option}: cannot read ${file === '-' ? 'standard input' : file} (${why})`);
  }
}

/** What a file is called in messages. */
const nameOf = (file: string): string => (file === '-' ? '<stdin>' : file);

async function render(options: RenderOptions, terminal: Terminal): Promise<ExitCode> {
  const { filename, values: given, templateFrom, namespace, output } = options;
  const values = parseValues(
    given.startsWith('@') ? await readText(given.slice(1), '--values', terminal) : given,
  );
  const main = readManifest(nameOf(filename), await readText(filename, '--filename', terminal));
  const others: Manifest[] = [];
  for (const file of templateFrom)
    others.push(readManifest(nameOf(file), await readText(file, '--template-from', terminal)));

  let code: ExitCode = EXIT.ok;
  const wrong = (place: Place, message: string): void => {
    code = EXIT.wrong;
    terminal.error(`${place.file}:${place.line}: error: ${message}\n`);
  };
  const note = (place: Place, message: string): void =>
    terminal.error(`${place.file}:${place.line}: note: ${message}\n`);

  const manifests = [main, ...others];
  for (const { place, message } of manifests.flatMap(({ faults }) => faults)) wrong(place, message);
  const templates = templateObjects(manifests.flatMap(({ objects }) => objects));
  for (const one of others.flatMap(({ objects }) => objects))
    if (!isTemplateObject(one))
      note(one.place([]), `${describe(one)} is passed over: only ConfigMaps and Secrets are read`);

  const secrets: SecretObject[] = [];
  let seen = 0;
  for (const one of main.objects) {
    if (isTemplateObject(one)) continue;
    if (!isExternalSecret(one)) {
      note(one.place([]), `${describe(one)} is passed over: it is no ExternalSecret of ${GROUP}`);
      continue;
    }
    seen += 1;
    try {
      const { hub, problems } = check(one, namespace);
      for (const problem of problems)
        wrong(one.place(problem.path), `INVALID_OBJECT: ${formatProblem(problem)}`);
      if (problems.length > 0) continue;
      const at =
        (...path: FieldPath) =>
        (message: string): void =>
          note(one.place(['spec', ...path]), message);
      if (creationPolicyOf(hub.spec) === 'None')
        at('target', 'creationPolicy')('with creationPolicy None no Secret is written');
      secrets.push(await renderOne(hub, pipelineValues(hub, values, at('data')), templates));
    } catch (thrown) {
      if (!(thrown instanceof EsaError)) throw thrown;
      wrong(one.place([]), `${describe(one)}: ${thrown.code}: ${thrown.message}${hint(thrown)}`);
    }
  }
  if (seen === 0 && code === EXIT.ok)
    wrong({ file: nameOf(filename), line: 1, column: 1 }, `there is no ExternalSecret of ${GROUP} in it`);
  if (secrets.length > 0) terminal.out(printObjects(secrets, output));
  return code;
}

/** `ExternalSecret app`, for messages. */
function describe({ object: { kind, metadata } }: ManifestObject): string {
  const name = isJsonObject(metadata) && typeof metadata['name'] === 'string' ? ` ${metadata['name']}` : '';
  return `${typeof kind === 'string' ? kind : 'an object without kind'}${name}`;
}

const isExternalSecret = ({ object: { apiVersion, kind } }: ManifestObject): boolean =>
  kind === 'ExternalSecret' && typeof apiVersion === 'string' && apiVersion.split('/')[0] === GROUP;

/**
 * What the API server would refuse, then what the webhook would; paths are those of the object's own version.
 * @throws EsaError INVALID_OBJECT for a version that is not served
 */
function check(
  { object }: ManifestObject,
  namespace: string,
): { readonly hub: ExternalSecret; readonly problems: readonly Problem[] } {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {};
  const { hub, problems } = checkExternalSecret({
    ...object,
    metadata: { ...metadata, namespace: metadata['namespace'] ?? namespace },
  });
  return { hub, problems: [...metadataProblems(metadata), ...problems] };
}

function metadataProblems(metadata: Readonly<Record<string, unknown>>): Problem[] {
  const { report, problems } = collector(['metadata']);
  if (typeof metadata['name'] !== 'string' || metadata['name'] === '') {
    const message =
      'a name is needed: the label created-by is made of it (generateName is known to the cluster only)';
    report('schema-required', ['name'], message);
  }
  for (const field of ['labels', 'annotations']) {
    for (const [key, value] of Object.entries(isJsonObject(metadata[field]) ? metadata[field] : {})) {
      if (typeof value === 'string') continue;
      const message = 'the value has to be a string; put it in quotes';
      report('schema-type', [field, key], message);
    }
  }
  return problems;
}

/**
 * Of the given values those that the reads of the object can give.
 * @throws EsaError PROVIDER_NOT_FOUND for an entry of data without a value; INVALID_KEYS
 */
function pipelineValues(
  es: ExternalSecret,
  given: ReadonlyMap<string, SecretValue>,
  note: (message: string) => void,
): ReadonlyMap<string, SecretValue> {
  const { reads, skipsMissing } = plan(es);
  const wanted = reads.flatMap(({ into }) => (into.kind === 'key' ? [into.secretKey] : []));
  for (const key of wanted) {
    if (given.has(key)) continue;
    const missing = `--values has no ${JSON.stringify(key)}, which spec.data reads`;
    // As in a cluster: only with a deletionPolicy of its own may an entry be gone.
    if (!skipsMissing) throw new EsaError('PROVIDER_NOT_FOUND', `${missing}; add it`);
    note(`${missing}; rendered as if its secret were gone`);
  }
  if (reads.length > wanted.length) return checkKeys(given);
  return checkKeys(new Map([...given].filter(([key]) => wanted.includes(key))));
}

async function renderOne(
  es: ExternalSecret,
  values: ReadonlyMap<string, SecretValue>,
  templates: TemplateReader,
): Promise<SecretObject> {
  const { signal } = new AbortController();
  const { secret } = await desire(es, values, templates, systemClock, NO_POLICIES, signal);
  return newSecret(secret, {});
}

const hint = ({ code }: EsaError): string =>
  code === 'REFERENCE_NOT_FOUND' ? ' (offline: give the file that has it with --template-from)' : '';
