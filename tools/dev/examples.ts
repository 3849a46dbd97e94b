import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenBao } from '../../test/harness/openbao.ts';
import { ROOT } from '../setup/paths.mjs';

const EXAMPLES = join(ROOT, 'examples');
/** The namespace that the examples are written for. */
export const EXAMPLE_NAMESPACE = 'demo';

/** The account of the local stand-in for AWS, and the region of the examples. It takes any keys. */
export const DEV_AWS = {
  accessKeyId: 'AKIADEVDEVDEVDEVDEV1',
  secretAccessKey: 'dev-secret-access-key',
  region: 'eu-central-1',
} as const;

/** Where examples are led to. */
export interface ExamplePlace {
  readonly namespace: string;
  /** Put on that namespace, beside what stands in the example. */
  readonly labels: Readonly<Record<string, string>>;
  /** Without one the examples for Vault stay as they are. */
  readonly openBao: Pick<OpenBao, 'address' | 'token'> | undefined;
}

function leadTo(text: string, { namespace, labels, openBao }: ExamplePlace): string {
  const own = Object.keys(labels).length === 0 ? '' : `  labels: ${JSON.stringify(labels)}\n`;
  const placed = text
    .replaceAll(/^kind: Namespace\nmetadata:\n/gm, `$&${own}`)
    .replaceAll(/^( *(?:namespace|name): )demo$/gm, `$1${namespace}`)
    .replaceAll('replace-this-access-key-id', DEV_AWS.accessKeyId)
    .replaceAll('replace-this-secret-access-key', DEV_AWS.secretAccessKey);
  if (openBao === undefined) return placed;
  return placed
    .replaceAll('https://vault.example.com:8200', openBao.address)
    .replaceAll('replace-this-token', openBao.token);
}

/** An example as it stands in examples/, led to what runs here. */
export function readExample(place: ExamplePlace, file: string): string {
  return leadTo(readFileSync(join(EXAMPLES, file), 'utf8'), place);
}

/** Copies examples/ to `target`, led to what runs here: `kubectl apply -f` then takes them as they are. */
export function writeExamples(place: ExamplePlace, target: string): void {
  cpSync(EXAMPLES, target, { recursive: true });
  for (const file of readdirSync(target, { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.yaml')) writeFileSync(join(target, file), readExample(place, file));
  }
}
