import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenBao } from '../../test/harness/openbao.ts';
import { ROOT } from '../setup/paths.mjs';

const EXAMPLES = join(ROOT, 'examples');

/** The account of the local stand-in for AWS, and the region of the examples. It takes any keys. */
export const DEV_AWS = {
  accessKeyId: 'AKIADEVDEVDEVDEVDEV1',
  secretAccessKey: 'dev-secret-access-key',
  region: 'eu-central-1',
} as const;

const leadTo = (text: string, { address, token }: OpenBao): string =>
  text
    .replaceAll('https://vault.example.com:8200', address)
    .replaceAll('replace-this-token', token)
    .replaceAll('replace-this-access-key-id', DEV_AWS.accessKeyId)
    .replaceAll('replace-this-secret-access-key', DEV_AWS.secretAccessKey);

/** An example as it stands in examples/, led to the local OpenBao and AWS. */
export function readExample(openBao: OpenBao, file: string): string {
  return leadTo(readFileSync(join(EXAMPLES, file), 'utf8'), openBao);
}

/** Copies examples/ to `target`, led to what runs here: `kubectl apply -f` then takes them as they are. */
export function writeExamples(openBao: OpenBao, target: string): void {
  cpSync(EXAMPLES, target, { recursive: true });
  for (const file of readdirSync(target, { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.yaml')) writeFileSync(join(target, file), readExample(openBao, file));
  }
}
