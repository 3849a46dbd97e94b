import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenBao } from '../../test/harness/openbao.ts';
import { ROOT } from '../setup/paths.mjs';

const EXAMPLES = join(ROOT, 'examples');

const leadTo = (text: string, { address, token }: OpenBao): string =>
  text.replaceAll('https://vault.example.com:8200', address).replaceAll('replace-this-token', token);

/** An example as it stands in examples/, led to the local OpenBao. */
export function readExample(openBao: OpenBao, file: string): string {
  return leadTo(readFileSync(join(EXAMPLES, file), 'utf8'), openBao);
}

/** Copies examples/ to `target`, led to the local OpenBao: `kubectl apply -f` then takes them as they are. */
export function writeExamples(openBao: OpenBao, target: string): void {
  cpSync(EXAMPLES, target, { recursive: true });
  for (const file of readdirSync(target, { recursive: true, encoding: 'utf8' })) {
    if (file.endsWith('.yaml')) writeFileSync(join(target, file), readExample(openBao, file));
  }
}
