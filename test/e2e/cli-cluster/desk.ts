/** The bed of cli-cluster.test.ts, and `esa` on it; the suites of this folder share it. */
import assert from 'node:assert/strict';
import type { Explanation } from '../../../cli/explain/explanation.ts';
import { type Bed, startBed } from '../../harness/bed.ts';
import { eventually } from '../../harness/eventually.ts';
import { Cluster } from '../support/cluster.ts';
import { type EsaResult, runEsa } from '../support/esa.ts';
import { externalSecret } from '../support/vault.ts';

/** Set once `openDesk` has resolved. */
export let bed: Bed;
export let cluster: Cluster;
export const HOUR = { refreshInterval: '1h' };

export async function openDesk(): Promise<void> {
  bed = await startBed({ openBao: { audit: true } });
  cluster = new Cluster(bed.cp);
  for (const key of ['app', 'one', 'two']) await bed.openBao.write(key, { password: `value of ${key}` });
}

/** As the admin, or as whom the kubeconfig says. */
export const esa = (args: readonly string[], kubeconfig = bed.cp.kubeconfig): Promise<EsaResult> =>
  runEsa(args, kubeconfig);

export async function explain(name: string, where: string, ...more: string[]): Promise<Explanation> {
  const { out, error } = await esa(['explain', name, '-n', where, '-o', 'json', ...more]);
  assert.equal(error, '');
  return JSON.parse(out) as Explanation;
}

export const WITHIN = { timeout: 30_000, interval: 300 };

/** Waits until the first cause has this code, then gives it. */
export async function firstCause(
  name: string,
  where: string,
  code: string | undefined,
  text: RegExp,
): Promise<Explanation> {
  return eventually(
    async () => {
      const explanation = await explain(name, where);
      const [cause] = explanation.causes;
      assert.ok(cause, `${explanation.verdict}: ${explanation.summary}`);
      assert.equal(cause.code, code, JSON.stringify(explanation.causes));
      assert.match(cause.message, text, cause.message);
      assert.equal(explanation.verdict, 'not-ready');
      return explanation;
    },
    { what: `explain ${name} says ${code}`, ...WITHIN },
  );
}

export const es = (where: string, spec: object = {}): Promise<unknown> =>
  cluster.create(externalSecret(where, 'app', { refreshInterval: '5s', ...spec }));
