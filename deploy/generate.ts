/**
 * Writes the CustomResourceDefinitions to deploy/crds/, one file a kind, from the zod schemas of api/ and
 * providers/, and the variant of the webhook configurations. `--check` writes nothing and fails if a file is not
 * what would be written.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { buildCrds, type CustomResourceDefinition } from '../api/crd/crds.ts';
import { buildGeneratorCrds } from '../api/crd/generator-crds.ts';
import { buildKesCrd } from '../api/crd/kes-crd.ts';
import { buildPolicyCrd } from '../api/crd/policy-crd.ts';
import { GENERATOR_GROUP } from '../api/generators/names.ts';
import { providerSchemas } from '../providers/registry.ts';
import { validatingVariant } from './validating-variant.ts';

const KES_FILE = 'externalsecrets.yaml';
const CHART_KES_FILE = 'kubernetes-client-externalsecrets.yaml';
const CONFIGURATIONS = 'webhook-configurations.yaml';
const HEADER = '# Generated from the schemas in api/ and providers/ by deploy/generate.ts; do not edit.\n';
/** Where the manifests of this directory put the webhook. */
const CONVERSION = {
  namespace: 'external-secrets-system',
  serviceName: 'external-secrets-admission-webhook',
};

/** Contents of deploy/crds by file name. */
export function renderCrds(): ReadonlyMap<string, string> {
  const crds = [
    ...buildCrds({ providers: providerSchemas, conversion: CONVERSION }),
    ...buildGeneratorCrds(),
    buildPolicyCrd(),
  ];
  return new Map(crds.map((crd) => [fileOf(crd), render(crd)]));
}

/** Plurals of generators, such as webhooks, say little by themselves. */
const fileOf = ({ spec: { group, names } }: CustomResourceDefinition): string =>
  `${group === GENERATOR_GROUP ? 'generators-' : ''}${names.plural}.yaml`;

const render = (crd: CustomResourceDefinition): string =>
  HEADER + stringify(crd, { aliasDuplicateObjects: false, lineWidth: 110, singleQuote: true });

/** The files of `directory` that are missing, different or left over, in alphabetical order. */
export async function staleFiles(directory: string, wanted: ReadonlyMap<string, string>): Promise<string[]> {
  const present = await readdir(directory).catch(() => []);
  const stale = present.filter((name) => !wanted.has(name));
  for (const [name, content] of wanted) {
    const current = await readFile(join(directory, name), 'utf8').catch(() => undefined);
    if (current !== content) stale.push(name);
  }
  return stale.sort();
}

/** Makes `directory` hold exactly these files; returns the names of those that changed. */
export async function writeFiles(directory: string, wanted: ReadonlyMap<string, string>): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const stale = await staleFiles(directory, wanted);
  for (const name of stale) {
    const content = wanted.get(name);
    if (content === undefined) await rm(join(directory, name));
    else await writeFile(join(directory, name), content);
  }
  return stale;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const manifests = await readFile(join(import.meta.dirname, 'manifests', CONFIGURATIONS), 'utf8');
  const crds = renderCrds();
  const kesCrd = render(buildKesCrd());
  const folders: readonly [name: string, wanted: ReadonlyMap<string, string>][] = [
    ['crds', crds],
    // By itself: who has it is told by kubectl that `es` means two kinds.
    ['kes', new Map([[KES_FILE, kesCrd]])],
    // A chart has to hold all that it renders.
    ['chart/files/crds', new Map([...crds, [CHART_KES_FILE, kesCrd]])],
    ['materialise-in-validating', new Map([[CONFIGURATIONS, validatingVariant(manifests)]])],
  ];
  let stale = 0;
  for (const [folder, wanted] of folders) {
    const directory = join(import.meta.dirname, folder);
    const names = await (values.check ? staleFiles : writeFiles)(directory, wanted);
    for (const name of names) {
      if (values.check)
        console.error(`deploy/${folder}/${name} is out of date: run \`node deploy/generate.ts\``);
      else console.log(`deploy/${folder}/${name} written`);
    }
    stale += names.length;
  }
  return values.check && stale > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
