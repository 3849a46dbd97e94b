/**
 * docs/migrating.md, word by word: from what External Secrets Operator left in a cluster (recorded from itself, see
 * test/moving) to us and back. `make moving` does the same with the operator running.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { helmOutput } from '../harness/helm.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { PROBE, writeEsoChart, writeProbeChart } from '../moving/eso-chart.ts';
import { CONTROLLERS, Move, type Operator } from '../moving/flow.ts';
import { fromKes } from '../moving/kes-flow.ts';
import { restore, writeValues } from '../moving/left-behind.ts';

let cp: ControlPlane;
let openBao: OpenBao;
let operator: Operator;
const world = () => ({ cp, openBao, operator });
const move = new Move(world);

before(async () => {
  [cp, openBao] = await Promise.all([
    startControlPlane({ controllers: CONTROLLERS }),
    startOpenBao({ audit: true }),
  ]);
  operator = {
    chart: writeEsoChart(),
    leave: async () => {
      await writeValues(openBao);
      await restore(cp, openBao);
    },
    follow: async () => undefined,
  };
});
after(async () => {
  await move.stop();
  await openBao?.stop();
  await cp?.stop();
});

test('helm uninstall goes by the annotation in its release, not by that of the live CRD', async () => {
  const chart = writeProbeChart();
  const kept = async (): Promise<boolean> =>
    (await cp.request('GET', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${PROBE}`)).status ===
    200;
  await helmOutput(['install', 'probe', chart], { cluster: cp });
  await cp.kubectlOutput(['annotate', 'crd', PROBE, 'helm.sh/resource-policy=keep']);
  await helmOutput(['uninstall', 'probe'], { cluster: cp });
  await eventually(async () => !(await kept()), { timeout: 60_000 });
  await helmOutput(['install', 'probe', chart], { cluster: cp });
  const keep = ['--set', 'crds.annotations.helm\\.sh/resource-policy=keep'];
  await helmOutput(['upgrade', 'probe', chart, ...keep], { cluster: cp });
  const printed = await helmOutput(['uninstall', 'probe'], { cluster: cp });
  assert.match(printed, new RegExp(`kept due to the resource policy:\\n.*${PROBE}`));
  assert.ok(await kept());
});

describe('from External Secrets Operator', () => move.there({ works: false }));
describe('from kubernetes-external-secrets', () => fromKes(move, world));
describe('back to External Secrets Operator', () => move.back());
