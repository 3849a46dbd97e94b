/** The stored cases: what once failed, and what is worth asking in every run of the tests. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WireCase } from './case.ts';

const DIRECTORY = join(import.meta.dirname, '../cases/reviews');

export interface StoredCase {
  readonly name: string;
  /** What was wrong with the answer when it was found. */
  readonly fault: string;
  readonly case: WireCase;
}

export function storeCase(name: string, fault: string, one: WireCase): void {
  mkdirSync(DIRECTORY, { recursive: true });
  const text = JSON.stringify({ fault: fault.slice(0, 300), case: one }, undefined, 2);
  writeFileSync(join(DIRECTORY, `${name}.json`), `${text}\n`);
}

export function readCases(): readonly StoredCase[] {
  return readdirSync(DIRECTORY)
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => ({
      name: file.replace(/\.json$/, ''),
      ...(JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8')) as Omit<StoredCase, 'name'>),
    }));
}
