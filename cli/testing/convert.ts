/** For tests of `esa convert`: calls it, and reads what comes out. */
import { parseAllDocuments } from 'yaml';
import { run } from '../run.ts';

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

export async function esa(args: readonly string[], input = '', command = 'convert'): Promise<Result> {
  let out = '';
  let error = '';
  const code = await run([command, ...args], {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
    readInput: async () => Buffer.from(input),
  });
  return { code, out, error };
}

export type Fields = Readonly<Record<string, unknown>>;

export interface Objects extends Result {
  readonly stores: readonly Fields[];
  readonly spec: Fields;
}

export const FLAGS = [
  '--kes-service-account',
  'kes',
  '--kes-namespace',
  'ops',
  '--kes-env',
  'VAULT_ADDR=https://vault:8200',
];
export const AWS = ['--kes-env', 'AWS_REGION=eu-central-1'];

export const kes = (spec: object, metadata: object = {}): string =>
  JSON.stringify({
    apiVersion: 'kubernetes-client.io/v1',
    kind: 'ExternalSecret',
    metadata: { name: 'app', ...metadata },
    spec,
  });

/** Converts one object, and reads what comes out. */
export async function convert(
  spec: object,
  more: readonly string[] = AWS,
  metadata: object = {},
): Promise<Objects> {
  const result = await esa(['-', '-o', 'json', ...FLAGS, ...more], kes(spec, metadata));
  const objects = parseAllDocuments(result.out.replaceAll(/^}$/gm, '}\n---')).flatMap((document) => {
    const object: unknown = 'contents' in document ? document.toJS() : null;
    return object === null ? [] : [object as { kind: string; spec: Fields }];
  });
  return {
    ...result,
    stores: objects.filter(({ kind }) => kind === 'ClusterSecretStore').map((one) => one.spec),
    spec: objects.find(({ kind }) => kind === 'ExternalSecret')?.spec ?? {},
  };
}

/** What is said on standard error, without the summary. */
export const said = ({ error }: Result): readonly string[] =>
  error
    .split('\n')
    .filter((line) => /: (?:error|warning|note): /.test(line))
    .map((line) => line.replace(/^[^ ]+ /, '').replace(/kes-([a-z-]+)-[0-9a-f]{8}/g, 'kes-$1-*'));
