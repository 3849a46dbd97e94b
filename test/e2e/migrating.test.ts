/**
 * docs/migrating.md, word by word: from what External Secrets Operator left in a cluster (recorded from itself, see
 * test/moving) to us and back. `make moving` does the same with the operator running.
 */
import { after, before, describe } from 'node:test';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { type OpenBao, startOpenBao } from '../harness/openbao.ts';
import { writeEsoChart } from '../moving/eso-chart.ts';
import { CONTROLLERS, Move, type Operator } from '../moving/flow.ts';
import { convertedFromKes } from '../moving/kes-flow.ts';
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

describe('from External Secrets Operator', () => move.there({ works: false }));
describe('from kubernetes-external-secrets', () => convertedFromKes(move, world));
describe('back to External Secrets Operator', () => move.back());
