/**
 * The tables of cases, a file an area: what each rule refuses and what it lets pass. A case is a manifest, written
 * as what it differs by from one of the `bases` of its file (a JSON merge patch, RFC 7396; the first base unless
 * `on` names another), with the field or fields that are pointed at.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isJsonObject } from '../../api/json.ts';

/** Who judges: without a cluster for the first four, with the answers of one for the others. */
export type JudgeName = 'object' | 'reference' | 'policy' | 'permission' | 'caller' | 'create';

interface CaseText {
  readonly on?: string;
  readonly at?: string | readonly string[];
  readonly also?: readonly string[];
  readonly patch?: unknown;
  /** What stands for the text GENERATED: `text`, so many times. */
  readonly generate?: { readonly text: string; readonly times: number };
  readonly policy?: Context['policy'];
  readonly keyCount?: number;
  readonly may?: readonly string[];
  readonly annotations?: Context['annotations'];
}

interface RuleText {
  readonly judge?: JudgeName;
  readonly refuse: readonly CaseText[];
  readonly pass: readonly CaseText[];
}

interface FileText {
  readonly judge?: JudgeName;
  readonly bases: Readonly<Record<string, unknown>>;
  readonly stores?: Context['stores'];
  readonly rules: Readonly<Record<string, RuleText>>;
}

/** What judges other than `object` need beside the manifest. */
export interface Context {
  /** Spec of the one ClusterSecretPolicy that there is; none if undefined. */
  readonly policy: Readonly<Record<string, unknown>> | undefined;
  /** SecretStores that there are: spec.provider by name. */
  readonly stores: Readonly<Record<string, unknown>>;
  readonly keyCount: number | undefined;
  /** Rights of the caller: `create secrets`, `use <ClusterSecretStore>`. */
  readonly may: readonly string[];
  /** Of the namespace. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string } & Readonly<Record<string, unknown>>;
  readonly spec?: unknown;
}

export interface Case {
  readonly rule: string;
  readonly judge: JudgeName;
  readonly verdict: 'refuse' | 'pass';
  /** From 1, among those of the same verdict. */
  readonly number: number;
  /** Fields that problems of the rule point at; empty for one that passes. */
  readonly at: readonly string[];
  /** Rules that are broken beside. */
  readonly also: readonly string[];
  readonly manifest: Manifest;
  readonly context: Context;
}

function merged(base: unknown, patch: unknown): unknown {
  if (patch === undefined) return base;
  if (!isJsonObject(patch)) return patch;
  const from = isJsonObject(base) ? base : {};
  const keys = new Set([...Object.keys(from), ...Object.keys(patch)]);
  return Object.fromEntries(
    [...keys]
      .map((key) => [key, merged(from[key], patch[key])] as const)
      .filter(([, value]) => value !== null),
  );
}

/** What `judge: reference` patches: a reference, and the store it stands in. */
const REFERENCE = { store: { kind: 'SecretStore', namespace: 'shop' }, reference: { name: 'a' } };

function manifestOf(rule: string, base: unknown, { patch, generate }: CaseText): Manifest {
  const manifest = merged(merged({ metadata: { name: rule } }, base), patch) as Manifest;
  if (generate === undefined) return manifest;
  const { text, times } = generate;
  const filled = JSON.stringify(manifest, (_key, value: unknown) =>
    value === 'GENERATED' ? text.repeat(times) : value,
  );
  return JSON.parse(filled) as Manifest;
}

function casesOf({ bases, judge: common = 'object', stores = {}, rules }: FileText): Case[] {
  return Object.entries(rules).flatMap(([rule, { judge = common, ...text }]) =>
    (['refuse', 'pass'] as const).flatMap((verdict) =>
      text[verdict].map((one, index): Case => {
        const { at = [], also = [], on = Object.keys(bases)[0] ?? '' } = one;
        const base = judge === 'reference' ? REFERENCE : bases[on];
        if (base === undefined) throw new Error(`${rule}: there is no base "${on}"`);
        return {
          rule,
          judge,
          verdict,
          number: index + 1,
          at: typeof at === 'string' ? [at] : at,
          also,
          manifest: manifestOf(rule, base, one),
          context: {
            policy: one.policy,
            stores,
            keyCount: one.keyCount,
            may: one.may ?? [],
            annotations: one.annotations ?? {},
          },
        };
      }),
    ),
  );
}

/** All cases of all tables. */
export function readTables(): readonly Case[] {
  const directory = join(import.meta.dirname, 'tables');
  return readdirSync(directory).flatMap((file) =>
    casesOf(parse(readFileSync(join(directory, file), 'utf8')) as FileText),
  );
}
