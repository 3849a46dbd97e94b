import { test } from 'node:test';
import { run } from '../../cli/run.ts';
import { startBed } from '../harness/bed.ts';

test('try', async () => {
  await using bed = await startBed();
  let out = '';
  const began = performance.now();
  const code = await run(['doctor', '--kubeconfig', bed.cp.kubeconfig], {
    out: (t) => { out += t; },
    error: (t) => { out += t; },
    readInput: () => Promise.reject(new Error('no')),
  });
  console.log(out, code, performance.now() - began);
});
