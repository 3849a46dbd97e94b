/**
 * `make moving`: docs/migrating.md with External Secrets Operator itself, from its chart to ours and back, and both at
 * once. RECORD=1 writes anew what the tests take as left behind by it (test/moving/left-behind.jsonl).
 */
import { writeFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { applyManifests } from '../e2e/support/vault.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { eventually } from '../harness/eventually.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { CONTROLLERS, ESO_NAMESPACE, Move, type Operator } from './flow.ts';
import { assertSettled, manifests, RECORD, record, writeValues } from './left-behind.ts';
import { RealEso } from './real-eso.ts';

let cp: ControlPlane;
let openBao: OpenBao;
let eso: RealEso;
let operator: Operator;
const move = new Move(() => ({ cp, openBao, operator }));

before(async () => {
  [cp, openBao] = await Promise.all([
    startControlPlane({ controllers: CONTROLLERS }),
    startOpenBao({ audit: true }),
  ]);
  eso = new RealEso(cp, ESO_NAMESPACE);
  operator = {
    chart: eso.chart,
    leave: async () => {
      await writeValues(openBao);
      await eso.follow();
      const { code, stderr } = await applyManifests(cp, manifests(openBao));
      if (code !== 0) throw new Error(stderr);
      await eventually(() => assertSettled(cp), { timeout: 240_000 });
      if (process.env['RECORD'] === '1') writeFileSync(RECORD, await record(cp, openBao));
    },
    follow: () => eso.follow(),
  };
});
after(async () => {
  await move.stop();
  await eso?.stop();
  await openBao?.stop();
  await cp?.stop();
});

describe('from External Secrets Operator', () => move.there({ works: true }));
describe('back to External Secrets Operator', () => move.back());
describe('with External Secrets Operator again', () => move.withEso());
