/**
 * `make dev`: the whole product from this checkout, in the foreground until Ctrl-C.
 *
 *   node tools/dev.ts [--watch] [--context NAME [--webhook-host HOST] [--yes]]
 */
import { describeBackends, missingBackends } from './dev/backends.ts';
import { readDevFlags, runForUser } from './dev/options.ts';
import { type DevSession, startDevSession } from './dev/session.ts';
import { followSources } from './dev/watch.ts';

/** What to type first, as far as it works with what runs. */
function firstSteps({ openBao, aws, place, envFile, examples }: DevSession): string {
  const line = (command: string, remark: string): string => `  ${command.padEnd(47)}# ${remark}`;
  return [
    line(`. ${envFile}`, 'KUBECONFIG, VAULT_*, AWS_*, pids, logs, commands'),
    ...(openBao === undefined
      ? [`  kubectl apply -f ${examples}/fake`]
      : [
          '  bao kv put secret/demo/database username=app password=one',
          `  kubectl apply -f ${examples}/vault-token`,
        ]),
    ...(aws === undefined
      ? []
      : [line(`kubectl apply -f ${examples}/aws-keys`, 'reads demo/payment, which is there already')]),
    `  kubectl -n ${place.namespace} get externalsecret,secretstore,secret`,
    line('eval "$WEBHOOK_STOP_CMD"', 'and back: eval "$WEBHOOK_START_CMD"'),
  ].join('\n');
}

await runForUser(async () => {
  const { ownCluster, switches } = readDevFlags('tools/dev.ts', process.argv.slice(2), ['watch']);
  const began = performance.now();
  for (const line of missingBackends()) console.log(line);
  if (ownCluster === undefined) {
    console.log(`starting a control plane, ${describeBackends()}, webhook and poller ...`);
  }
  const session = await startDevSession(ownCluster);
  const { webhook, poller } = session.programs;
  if (switches.has('watch')) {
    followSources([webhook, poller], (line) => console.log(line));
    console.log('webhook and poller follow their sources');
  }
  console.log(`ready after ${((performance.now() - began) / 1000).toFixed(1)} s

${firstSteps(session)}

Ctrl-C ends all of it.`);
});
