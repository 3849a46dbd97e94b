/** `esa convert`: manifests of kubernetes-external-secrets and of old versions of ESO as external-secrets.io/v1. */
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { type ConvertedFile, convertFiles } from './convert/convert-files.ts';
import { readKesEnvironment } from './convert/kes-environment.ts';
import type { StoreObject } from './convert/kes-store.ts';
import { textOf } from './convert/rewrite.ts';
import { countOf, formatText, inOrder, plural } from './findings.ts';
import { readManifestSet } from './manifest-set.ts';
import { OUTPUT_FORMATS, type OutputFormat, printObjects } from './print-object.ts';
import { collectPath, PATHS_HELP, readInputs } from './read-inputs.ts';
import { EXIT, type ExitCode, type Terminal, UsageError } from './terminal.ts';

interface ConvertOptions {
  readonly namespace: string;
  readonly output?: OutputFormat;
  readonly out?: string;
  readonly kesDeployment: readonly string[];
  readonly kesEnv: ReadonlyMap<string, string>;
  readonly kesNamespace?: string;
  readonly kesServiceAccount?: string;
  readonly vaultAudience?: string;
}

const HELP = `
Converted are ExternalSecrets of kubernetes-client.io/v1 (kubernetes-external-secrets, KES), and ExternalSecrets,
SecretStores, ClusterSecretStores and ClusterExternalSecrets of external-secrets.io/v1beta1 and v1alpha1. What else
stands in the same files stays as it is. Nothing is asked of a cluster, and nothing is changed in one.

Standard error lists what could not be kept (warning), what could not be converted (error), and what may mean
something else (note). Exit code: 0 all was kept, 1 something was not, 2 the command was called wrongly.
`;

export function convertCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return new Command('convert')
    .description(
      'Turn manifests of kubernetes-external-secrets, v1alpha1 and v1beta1 into external-secrets.io/v1.',
    )
    .argument('<paths...>', PATHS_HELP)
    .option(
      '--out <directory>',
      'write a file for each that was read, and stores.yaml; without it, standard output',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to write; without it, as it was read').choices(OUTPUT_FORMATS),
    )
    .option('-n, --namespace <name>', 'namespace of objects that name none', 'default')
    .option(
      '--kes-deployment <file>',
      'manifest of the Deployment of KES, with its ServiceAccount and ConfigMaps; may be given again',
      collectPath,
      [],
    )
    .option(
      '--kes-env <name=value>',
      'variable of KES, such as VAULT_ADDR; may be given again',
      collectVariable,
      new Map(),
    )
    .option('--kes-namespace <name>', 'namespace of KES')
    .option('--kes-service-account <name>', 'ServiceAccount of KES, which logs in to Vault and clouds')
    .option('--vault-audience <audience>', 'audience of its tokens for Vault, if the role there demands one')
    .addHelpText('after', HELP)
    .action(async (paths: readonly string[], options: ConvertOptions) =>
      done(await convert(paths, options, terminal)),
    );
}

function collectVariable(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It has to be NAME=value.');
  return new Map([...before, [name, value]]);
}

async function convert(
  paths: readonly string[],
  options: ConvertOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const environment = readKesEnvironment(await deployment(options, terminal), {
    namespace: options.kesNamespace,
    serviceAccount: options.kesServiceAccount,
    vaultAudience: options.vaultAudience,
    values: options.kesEnv,
  });
  const inputs = await readInputs(paths, terminal);
  const { files, stores, findings, converted } = convertFiles(inputs, environment, options.namespace);
  if (options.out === undefined) print(files, stores, options.output ?? 'yaml', terminal);
  else await write(options.out, files, stores, options.output);
  for (const finding of inOrder(
    findings,
    inputs.map(({ name }) => name),
  ))
    terminal.error(formatText(finding, terminal.colours ?? false));
  for (const unseen of environment.unseen)
    terminal.error(
      `warning: ${unseen} of kubernetes-external-secrets is not known: say --kes-env NAME=value if it matters\n`,
    );
  const [errors, warnings] = [countOf(findings, 'error'), countOf(findings, 'warning')];
  terminal.error(
    `${plural(converted, 'object')} converted, ${plural(stores.length, 'store')} made: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}\n`,
  );
  return errors + warnings > 0 ? EXIT.wrong : EXIT.ok;
}

async function deployment(
  { kesDeployment }: ConvertOptions,
  terminal: Terminal,
): Promise<ReturnType<typeof readManifestSet>['objects']> {
  const set = readManifestSet(await readInputs(kesDeployment, terminal), 'default');
  const [fault] = set.faults;
  if (fault !== undefined) throw new UsageError(`--kes-deployment: ${fault.place.file}: ${fault.message}`);
  if (kesDeployment.length > 0 && !set.objects.some(({ object }) => object['kind'] === 'Deployment'))
    throw new UsageError('--kes-deployment: there is no Deployment in it');
  return set.objects;
}

function print(
  files: readonly ConvertedFile[],
  stores: readonly StoreObject[],
  format: OutputFormat,
  terminal: Terminal,
): void {
  const parts = [
    ...(stores.length === 0 ? [] : [printObjects(stores, format)]),
    ...files.map((file) => render(file, format)),
  ];
  terminal.out(
    format === 'json'
      ? parts.join('')
      : parts.map((part, index) => (index > 0 && !part.startsWith('---') ? `---\n${part}` : part)).join(''),
  );
}

function render({ documents, objects, source }: ConvertedFile, format: OutputFormat): string {
  // JSON has neither comments nor an order that anybody chose.
  const asItWas = format === 'yaml' && !source.trimStart().startsWith('{');
  return asItWas ? textOf(documents, source) : printObjects(objects, format);
}

async function write(
  directory: string,
  files: readonly ConvertedFile[],
  stores: readonly StoreObject[],
  format: OutputFormat | undefined,
): Promise<void> {
  const contents = new Map<string, string>();
  const add = (name: string, text: string): void => {
    if (contents.has(name))
      throw new UsageError(`--out: two files would be written to ${join(directory, name)}`);
    contents.set(name, text);
  };
  for (const file of files) {
    const own = file.name.endsWith('.json') ? 'json' : 'yaml';
    add(placeOf(file.name, format), render(file, format ?? own));
  }
  if (stores.length > 0) add(`stores.${format ?? 'yaml'}`, printObjects(stores, format ?? 'yaml'));
  for (const [name, text] of contents) {
    const path = join(directory, name);
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'error';
      throw new UsageError(`--out: cannot write ${path} (${why})`);
    }
  }
}

/** Where below the directory a file goes: as it was named, if that leads to no other place. */
function placeOf(name: string, format: OutputFormat | undefined): string {
  if (name === '<stdin>') return `stdin.${format ?? 'yaml'}`;
  const path = normalize(name);
  const within = isAbsolute(path) || path.startsWith('..') ? basename(path) : path;
  return format === undefined ? within : within.replace(/\.(?:ya?ml|json)$/i, `.${format}`);
}
