/**
 * Writes the CustomResourceDefinitions to deploy/crds/, one file a kind, from the zod schemas of api/ and
 * providers/; the schema of the chart's values; what the chart has to hold copies of; and the manifests that are
 * rendered from it. `--check` writes nothing and fails if a file is not what would be written.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';
import { buildCrds, type CustomResourceDefinition } from '../api/crd/crds.ts';
import { buildGeneratorCrds } from '../api/crd/generator-crds.ts';
import { buildKesCrd } from '../api/crd/kes-crd.ts';
import { buildPolicyCrd } from '../api/crd/policy-crd.ts';
import { GENERATOR_GROUP } from '../api/generators/names.ts';
import { providerSchemas } from '../providers/registry.ts';
import { type ForeignValue, readValues, renderValuesSchema } from './chart-values.ts';
import {
  renderCertificates,
  renderKustomization,
  renderManifests,
  renderValidatingVariant,
} from './render.ts';

const KES_FILE = 'externalsecrets.yaml';
const CHART_KES_FILE = 'kubernetes-client-externalsecrets.yaml';
const VALUES_SCHEMA = 'values.schema.json';
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

type Files = ReadonlyMap<string, string>;

const readText = (...path: readonly string[]): Promise<string> =>
  readFile(join(import.meta.dirname, ...path), 'utf8');

async function readFolder(folder: string): Promise<Files> {
  const names = await readdir(join(import.meta.dirname, folder));
  return new Map(await Promise.all(names.map(async (name) => [name, await readText(folder, name)] as const)));
}

/** What the chart says about its values, and what it says about those of External Secrets Operator. */
export async function readChartValues(): Promise<{
  readonly values: ReturnType<typeof readValues>;
  readonly foreign: readonly ForeignValue[];
}> {
  return {
    values: readValues(await readText('chart', 'values.yaml')),
    foreign: parse(await readText('chart', 'files', 'eso-values.yaml')) as readonly ForeignValue[],
  };
}

/** What Prometheus and Grafana are told by the chart. */
async function monitoringFiles(): Promise<Files> {
  const names = ['alerts.yaml', 'dashboard.json'];
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readText('monitoring', name)] as const)),
  );
}

async function renderedManifests(): Promise<Files> {
  const files = renderManifests();
  return new Map([...files, renderKustomization(files.keys())]);
}

async function valuesSchema(): Promise<Files> {
  const { values, foreign } = await readChartValues();
  return new Map([[VALUES_SCHEMA, renderValuesSchema(values, foreign)]]);
}

/** A folder below deploy/, and the files that it is to hold. */
interface Task {
  readonly folder: string;
  readonly files: () => Files | Promise<Files>;
  /** There are others in it, too. */
  readonly shared?: true;
}

async function carryOut({ folder, files, shared }: Task, check: boolean): Promise<readonly string[]> {
  const directory = join(import.meta.dirname, folder);
  const wanted = await files();
  if (shared === undefined) return (check ? staleFiles : writeFiles)(directory, wanted);
  const stale = (await staleFiles(directory, wanted)).filter((name) => wanted.has(name));
  if (!check) for (const name of stale) await writeFile(join(directory, name), wanted.get(name) ?? '');
  return stale;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const crds = renderCrds();
  const kesCrd = render(buildKesCrd());
  const tasks: readonly Task[] = [
    { folder: 'crds', files: () => new Map([...crds, renderKustomization(crds.keys())]) },
    // By itself: who has it is told by kubectl that `es` means two kinds.
    { folder: 'kes', files: () => new Map([[KES_FILE, kesCrd]]) },
    // A chart has to hold all that it renders.
    { folder: 'chart/files/crds', files: () => new Map([...crds, [CHART_KES_FILE, kesCrd]]) },
    { folder: 'chart/files/vap', files: () => readFolder('vap') },
    { folder: 'chart/files/monitoring', files: monitoringFiles },
    { folder: 'chart', files: valuesSchema, shared: true },
    // Rendered from the chart, which is complete now.
    { folder: 'manifests', files: renderedManifests },
    { folder: 'materialise-in-validating', files: renderValidatingVariant },
    { folder: 'cert-manager', files: renderCertificates },
  ];
  let stale = 0;
  for (const task of tasks) {
    const names = await carryOut(task, values.check);
    for (const name of names) {
      if (values.check)
        console.error(`deploy/${task.folder}/${name} is out of date: run \`node deploy/generate.ts\``);
      else console.log(`deploy/${task.folder}/${name} written`);
    }
    stale += names.length;
  }
  return values.check && stale > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
