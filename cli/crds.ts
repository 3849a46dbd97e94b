/** `esa crds`: the CustomResourceDefinitions of this version. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import { buildCrds, type CustomResourceDefinition } from '../api/crd/crds.ts';
import { buildGeneratorCrds } from '../api/crd/generator-crds.ts';
import { buildKesCrd } from '../api/crd/kes-crd.ts';
import { buildPolicyCrd } from '../api/crd/policy-crd.ts';
import { providerSchemas } from '../providers/registry.ts';
import { SYSTEM_NAMESPACE } from './cluster/poller-lease.ts';
import { EXIT, type ExitCode, type Terminal, UsageError } from './terminal.ts';

interface CrdsOptions {
  readonly output: 'yaml' | 'json';
  readonly systemNamespace: string;
  readonly service: string;
  readonly conversion: boolean;
  readonly kes?: true;
  readonly directory?: string;
}

const HELP = `
Without a cluster. To install or upgrade:

  esa crds | kubectl apply --server-side --force-conflicts -f -

What is stored stays as it is. Run it before the programs of the same version.
`;

export function crdsCommand(terminal: Terminal, done: (code: ExitCode) => void): Command {
  return new Command('crds')
    .description('Print the CustomResourceDefinitions of this version.')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .option(
      '--system-namespace <name>',
      'where the webhook runs, which converts old versions',
      SYSTEM_NAMESPACE,
    )
    .option('--service <name>', 'its Service', 'external-secrets-admission-webhook')
    .option('--no-conversion', 'for use without the webhook: only the newest version can be used')
    .option('--kes', 'that of kubernetes-external-secrets as well')
    .option('--directory <path>', 'write a file for each there, and print their names')
    .addHelpText('after', HELP)
    .action(async (options: CrdsOptions) => done(await crds(options, terminal)));
}

async function crds(options: CrdsOptions, terminal: Terminal): Promise<ExitCode> {
  const { output, directory } = options;
  const all = definitions(options);
  if (directory !== undefined) {
    try {
      await mkdir(directory, { recursive: true });
      for (const crd of all) {
        const file = join(directory, `${crd.metadata.name}.${output}`);
        await writeFile(file, output === 'json' ? jsonOf(crd) : yamlOf(crd));
        terminal.out(`${file}\n`);
      }
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : 'error';
      throw new UsageError(`cannot write to ${directory} (${why})`);
    }
    return EXIT.ok;
  }
  terminal.out(
    output === 'json'
      ? jsonOf({ apiVersion: 'v1', kind: 'List', items: all })
      : all.map((crd) => `---\n${yamlOf(crd)}`).join(''),
  );
  return EXIT.ok;
}

function definitions({ systemNamespace, service, conversion, kes }: CrdsOptions): CustomResourceDefinition[] {
  const webhook = { namespace: systemNamespace, serviceName: service };
  return [
    ...buildCrds({ providers: providerSchemas, conversion: conversion ? webhook : 'None' }),
    ...buildGeneratorCrds(),
    buildPolicyCrd(),
    ...(kes === true ? [buildKesCrd()] : []),
  ];
}

const yamlOf = (crd: object): string =>
  stringify(crd, { aliasDuplicateObjects: false, lineWidth: 110, singleQuote: true });
const jsonOf = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
