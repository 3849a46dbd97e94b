/** The objects of an installation by the chart, with a status as a kubelet would write it. */
import { DEPLOYMENTS, type Place, SYSTEM } from './place.ts';

export const status = (
  at: Place,
  resource: 'pods' | 'deployments',
  name: string,
  value: object,
): Promise<void> => {
  const path = resource === 'pods' ? `/api/v1/namespaces/${SYSTEM}/pods` : DEPLOYMENTS(SYSTEM);
  return at.merge(`${path}/${name}/status`, { status: value });
};

/** A Deployment of ours as the chart makes it, and its Pods, as a kubelet would report them. */
export async function installProgram(
  at: Place,
  program: 'webhook' | 'poller',
  { address, port }: { readonly address: string | undefined; readonly port: number },
): Promise<void> {
  const labels = {
    'app.kubernetes.io/name': 'external-secrets-admission',
    'app.kubernetes.io/part-of': 'external-secrets-admission',
    'app.kubernetes.io/component': program,
  };
  const name = `external-secrets-admission-${program}`;
  const replicas = program === 'webhook' ? 2 : 1;
  const spec = {
    serviceAccountName: name,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: program,
        image: 'example.com/esa:0.1.0',
        args: [program, '--kes'],
        ports: [{ name: 'metrics', containerPort: port }],
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
  await at.create(DEPLOYMENTS(SYSTEM), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  await status(at, 'deployments', name, { replicas, readyReplicas: replicas });
  for (let index = 0; index < replicas; index++) {
    const pod = `${program}-${index}`;
    await at.create(`/api/v1/namespaces/${SYSTEM}/pods`, { metadata: { name: pod, labels }, spec });
    await status(at, 'pods', pod, {
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(address === undefined ? {} : { podIP: address, podIPs: [{ ip: address }] }),
    });
  }
}
