/**
 * Switches for rules, put into the sources as they are loaded (`node --import`): the product itself has none. Every
 * mutant is a switch; `globalThis.offMutant` names the one that is off.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../../tools/setup/paths.mjs';

declare global {
  var offMutant: string | undefined;
  /** Of places in the sources, in the order in which they were loaded. */
  var mutants: Mutant[] | undefined;
}

export interface Mutant {
  readonly id: string;
  /** Ids of rules that it may switch off. */
  readonly rule: string;
}

const places: Mutant[] = [];
globalThis.mutants = places;

/** The one collector: what it notes of the rule `rule:<id>` is dropped. */
const COLLECTOR = 'api/problem.ts';
const COLLECTS = 'problems.push({ rule,';
/** One call of a report, with the rule as a literal: `report('es-store',`. */
const CALL = /\breport\(\s*'([a-z0-9-]+)',/g;
/** One line of the rules of ClusterSecretPolicies: `{ id: 'stores', judge: stores }`. */
const POLICY_RULES = 'policy/policy-rules.ts';
const POLICY_RULE = /\{ id: '(\w+)', judge: (\w+) \}/g;

const kebab = (text: string): string => text.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const off = (id: string): string => `globalThis.offMutant === ${JSON.stringify(id)}`;

function mutated(file: string, source: string): string {
  if (file === COLLECTOR) {
    if (!source.includes(COLLECTS)) throw new Error(`${COLLECTOR} no longer has ${COLLECTS}`);
    return source.replace(COLLECTS, `if (globalThis.offMutant === 'rule:' + rule) return; ${COLLECTS}`);
  }
  if (file === POLICY_RULES) {
    return source.replaceAll(POLICY_RULE, (_all, name: string, judge: string) => {
      const id = `${file}:${name}`;
      places.push({ id, rule: `policy-allows-${kebab(name)}` });
      return `{ id: '${name}', judge: (...args) => ${off(id)} ? [] : ${judge}(...args) }`;
    });
  }
  return source.replaceAll(CALL, (_call, rule: string, offset: number) => {
    const line = source.slice(0, offset).split('\n').length;
    const id = `${file}:${line}:${rule}`;
    places.push({ id, rule });
    return `(${off(id)} ? () => {} : report)('${rule}',`;
  });
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return loaded;
    const path = fileURLToPath(url);
    const file = path.startsWith(`${ROOT}/`) ? path.slice(ROOT.length + 1) : path;
    if (
      !/^(api|policy|providers|webhook)\//.test(file) ||
      loaded.source === undefined ||
      loaded.source === null
    )
      return loaded;
    const source =
      typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
    return { ...loaded, source: mutated(file, source) };
  },
});
