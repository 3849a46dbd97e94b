/** The secret managers of dev and demo: what set-up could not get is left out, and said. */
import { existsSync } from 'node:fs';
import { type Aws, startAws } from '../../test/harness/aws.ts';
import { type OpenBao, startOpenBao } from '../../test/harness/openbao.ts';
import { awsDirectory, openBaoBinary } from '../setup/paths.mjs';

export interface Backends {
  readonly openBao: OpenBao | undefined;
  readonly aws: Aws | undefined;
}

/** Starts what set-up has installed. */
export async function startBackends(): Promise<Backends> {
  const [openBao, aws] = await Promise.all([
    existsSync(openBaoBinary()) ? startOpenBao() : undefined,
    existsSync(awsDirectory()) ? startAws() : undefined,
  ]);
  return { openBao, aws };
}

/** In words: what runs, e.g. `OpenBao (a Vault)`. */
export function describeBackends(): string {
  const names = [
    existsSync(openBaoBinary()) ? 'OpenBao (a Vault)' : 'the provider `fake` (no OpenBao here)',
    ...(existsSync(awsDirectory()) ? ['a stand-in for AWS'] : []),
  ];
  return names.join(', ');
}

/** What is left out and what that means, one line each; set-up has said why. */
export function missingBackends(): readonly string[] {
  return [
    ...(existsSync(openBaoBinary())
      ? []
      : ['No OpenBao on this machine: the values come from a store of the provider `fake`, examples/fake.']),
    ...(existsSync(awsDirectory())
      ? []
      : ['No stand-in for AWS on this machine: what needs AWS is left out.']),
  ];
}
