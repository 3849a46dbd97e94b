/**
 * `make demo`: the tour of the product, then it stays up. `--once` ends after the tour.
 *
 *   node tools/demo.ts [--once] [--context NAME [--webhook-host HOST] [--yes]]
 */
import { styleText } from 'node:util';
import { tour } from './demo/tour.ts';
import { describeBackends, missingBackends } from './dev/backends.ts';
import { readDevFlags, runForUser } from './dev/options.ts';
import { type DevSession, startDevSession } from './dev/session.ts';

/** @returns titles of the steps that did not hold */
async function show(session: DevSession): Promise<readonly string[]> {
  let held = 0;
  const failed: string[] = [];
  const skipped: string[] = [];
  for await (const { title, facts, outcome } of tour(session)) {
    const mark = {
      held: styleText('green', 'ok  '),
      failed: styleText('red', 'FAIL'),
      skipped: styleText('yellow', 'skip'),
    }[outcome];
    console.log(`${mark} ${styleText('bold', title)}`);
    for (const fact of facts) console.log(fact.replaceAll(/^/gm, '       '));
    console.log();
    if (outcome === 'held') held += 1;
    else (outcome === 'failed' ? failed : skipped).push(title);
  }
  const list = (titles: readonly string[]): string => titles.map((title) => `\n  ${title}`).join('');
  const omitted = skipped.length === 0 ? '' : `, ${skipped.length} skipped${list(skipped)}`;
  console.log(`${held} steps held, ${failed.length} failed${list(failed)}${omitted}`);
  return failed;
}

function furtherSteps({ openBao, place: { namespace }, envFile, examples }: DevSession): string {
  return [
    `. ${envFile}`,
    `kubectl -n ${namespace} get externalsecret,secretstore`,
    `kubectl -n ${namespace} describe externalsecret database`,
    openBao === undefined
      ? `kubectl -n ${namespace} edit secretstore fake`
      : 'bao kv put secret/demo/database username=app password=another-one',
    `kubectl -n ${namespace} get secret database-credentials -o jsonpath='{.data.password}' | base64 -d`,
    `kubectl apply -f ${examples}/refused/store.yaml`,
  ]
    .map((command) => `  ${command}`)
    .join('\n');
}

await runForUser(async () => {
  const { ownCluster, switches } = readDevFlags('tools/demo.ts', process.argv.slice(2), ['once']);
  const began = performance.now();
  for (const line of missingBackends()) console.log(line);
  if (ownCluster === undefined) {
    console.log(`Starting a control plane, ${describeBackends()}, the webhook and the poller ...`);
  }
  const session = await startDevSession(ownCluster);
  console.log(`Up after ${((performance.now() - began) / 1000).toFixed(1)} s.\n`);
  let failed: readonly string[];
  try {
    failed = await show(session);
  } catch (error) {
    await session.stop();
    throw error;
  }
  if (switches.has('once')) {
    await session.stop();
    process.exit(failed.length === 0 ? 0 : 1);
  }
  console.log(`\nIt stays up until Ctrl-C. In another shell:\n\n${furtherSteps(session)}`);
});
