/** Commands of remedies, in the form in which the product is installed. */
import { SYSTEM_NAMESPACE } from '../cluster/poller-lease.ts';
import { WEBHOOK_SERVICE } from './install.ts';
import type { Install } from './state.ts';

/** Applies the CRDs of this version over whatever is there; what is not in them (caBundle) stays. */
export function applyCrds({ namespace, service }: Install): string {
  const flags = [
    ...(namespace === SYSTEM_NAMESPACE ? [] : [`--system-namespace ${namespace}`]),
    ...(service.name === WEBHOOK_SERVICE ? [] : [`--service ${service.name}`]),
  ];
  return `${['esa crds', ...flags].join(' ')} | kubectl apply --server-side --force-conflicts -f -`;
}

/** Applies all else that belongs to the installation; as Helm, so that its next upgrade finds nothing of somebody else. */
export const applyManifests = ({ release }: Install): string =>
  release === undefined
    ? 'kubectl apply -f deploy/manifests'
    : `helm get manifest ${release.name} -n ${release.namespace} | kubectl apply --server-side --force-conflicts --field-manager=helm -f -`;

/** Restarts a program, or says which if its Deployment is not known. */
export function restart(install: Install, ...names: readonly ('webhook' | 'poller')[]): readonly string[] {
  const deployments = names.flatMap((name) => install[name].deployment?.metadata.name ?? []);
  return deployments.length < names.length
    ? []
    : [
        `kubectl -n ${install.namespace} rollout restart ${deployments.map((one) => `deployment/${one}`).join(' ')}`,
      ];
}

export function logsOf(install: Install, name: 'webhook' | 'poller'): readonly string[] {
  const deployment = install[name].deployment?.metadata.name;
  return deployment === undefined
    ? []
    : [`kubectl -n ${install.namespace} logs deployment/${deployment} --all-pods --tail=50`];
}
