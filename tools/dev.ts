/** `make dev`: the whole product from this checkout, in the foreground until Ctrl-C. */
import { startDevSession } from './dev/session.ts';

const began = performance.now();
console.log('starting a control plane, OpenBao, AWS (a stand-in), webhook and poller ...');
const { bed, envFile, examples } = await startDevSession();

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.prependListener(signal, () => {
    if (!stopping) console.log('stopping ...');
    stopping = true;
  });
}
const { webhook, poller } = bed.product;
for (const { name, exited, log } of [
  ...Object.values(bed.cp.processes),
  bed.openBao.process,
  ...(bed.aws === undefined ? [] : [bed.aws.process]),
  webhook.process,
  poller.process,
]) {
  void exited.then(({ code, signal }) => {
    if (!stopping) console.log(`${name} ended (${code ?? signal}); its log: ${log}`);
  });
}
console.log(`ready after ${((performance.now() - began) / 1000).toFixed(1)} s

  . ${envFile}               # KUBECONFIG, VAULT_*, AWS_*, pids, logs, commands
  bao kv put secret/demo/database username=app password=one
  kubectl apply -f ${examples}/vault-token
  kubectl apply -f ${examples}/aws-keys      # reads demo/payment, which is there already
  kubectl -n demo get externalsecret,secretstore,secret
  eval "$WEBHOOK_STOP_CMD"     # and back: eval "$WEBHOOK_START_CMD"

Ctrl-C ends all of it.`);
