/** `make demo`: the tour of the product, then it stays up. `--once` ends after the tour. */
import { styleText } from 'node:util';
import { tour } from './demo/tour.ts';
import { startDevSession } from './dev/session.ts';

const began = performance.now();
const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;

console.log(
  'Starting a control plane, OpenBao (a Vault), a stand-in for AWS, the webhook and the poller ...',
);
const session = await startDevSession();
console.log(`Up after ${seconds()}.\n`);

let held = 0;
const failed: string[] = [];
for await (const { title, facts, holds } of tour(session.bed)) {
  const mark = holds ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
  console.log(`${mark} ${styleText('bold', title)}`);
  for (const fact of facts) console.log(fact.replaceAll(/^/gm, '       '));
  console.log();
  if (holds) held += 1;
  else failed.push(title);
}
console.log(`${held} steps held, ${failed.length} failed${failed.map((title) => `\n  ${title}`).join('')}`);

if (process.argv.includes('--once')) {
  await session.stop();
  process.exit(failed.length === 0 ? 0 : 1);
}
console.log(`
It stays up until Ctrl-C. In another shell:

  . ${session.envFile}
  kubectl -n demo get externalsecret,secretstore
  kubectl -n demo describe externalsecret database
  bao kv put secret/demo/database username=app password=another-one
  kubectl -n demo get secret database-credentials -o jsonpath='{.data.password}' | base64 -d
  kubectl apply -f examples/refused/store.yaml`);
