/** The chart as a user installs it, with its rendered Deployments run as processes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Balancer, startBalancer } from '../harness/balancer.ts';
import { type ControlPlane, startControlPlane } from '../harness/control-plane.ts';
import { CHART, helmOutput } from '../harness/helm.ts';
import { type Kubelet, startKubelet } from '../harness/kubelet.ts';

const RELEASE = 'external-secrets';
const NAMESPACE = 'external-secrets-system';

let cp: ControlPlane;
let balancer: Balancer;
let kubelet: Kubelet;

before(async () => {
  cp = await startControlPlane({ controllers: ['deployment-controller', 'replicaset-controller'] });
  balancer = await startBalancer();
  kubelet = startKubelet({ cluster: cp, namespace: NAMESPACE, balancer });
});
after(async () => {
  await kubelet?.stop();
  await balancer?.stop();
  await cp?.stop();
});

/** What leads the API server to the processes of this machine. */
const reach = () => ({
  webhook: {
    service: { type: 'ExternalName', externalName: 'localhost', port: balancer.port },
    lameDuck: '200ms',
  },
});

interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

test('S15 helm install on an empty cluster: all Pods are ready, and a first Secret is there at return', async () => {
  await helmOutput(
    ['install', RELEASE, CHART, '-n', NAMESPACE, '--create-namespace', '--wait', '--timeout', '2m'],
    { cluster: cp, values: reach() },
  );
  const pods = await cp.kubectlOutput(['get', 'pods', '-n', NAMESPACE, '-o', 'json']);
  const { items } = JSON.parse(pods) as { readonly items: readonly Pod[] };
  const ready = items
    .filter(({ status }) => status.conditions.some((one) => one.type === 'Ready' && one.status === 'True'))
    .map(({ metadata }) => metadata.labels['app.kubernetes.io/component'] ?? '');
  assert.deepEqual(
    ready.toSorted((a, b) => (a < b ? -1 : 1)),
    ['poller', 'webhook', 'webhook'],
  );
  const stdin = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'external-secrets.io/v1',
        kind: 'SecretStore',
        metadata: { name: 'store', namespace: 'default' },
        spec: { provider: { fake: { data: [{ key: 'greeting', value: 'hello' }] } } },
      },
      {
        apiVersion: 'external-secrets.io/v1',
        kind: 'ExternalSecret',
        metadata: { name: 'first', namespace: 'default' },
        spec: {
          secretStoreRef: { name: 'store' },
          data: [{ secretKey: 'greeting', remoteRef: { key: 'greeting' } }],
        },
      },
    ],
  });
  await cp.kubectlOutput(['apply', '-f', '-'], { stdin });
  const secret = ['get', 'secret', 'first', '-n', 'default', '-o', 'jsonpath={.data.greeting}'];
  assert.equal(await cp.kubectlOutput(secret), Buffer.from('hello').toString('base64'));
  assert.deepEqual(kubelet.failures, []);
});
