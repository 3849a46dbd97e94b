/** When the certificates of each replica of the webhook end, from its metrics by way of the API server's proxy. */
import { text } from 'node:stream/consumers';
import { resourcePath } from '../../kube/path.ts';
import type { Cluster } from '../cluster/access.ts';
import { isReady, podsOf } from './pods.ts';
import { seen } from './seen.ts';
import type { Install, Pod, Seen, ServedCertificates } from './state.ts';

const SERIES = /^esa_certificate_expiry_timestamp_seconds\{certificate="([^"]+)"\} ([0-9.e+]+)$/gm;
const MOST_PODS = 10;

/** The series of a page of metrics. */
export const certificatesIn = (metrics: string): ServedCertificates['notAfter'] =>
  [...metrics.matchAll(SERIES)].map(([, certificate = '', seconds]) => ({
    certificate,
    at: Number(seconds) * 1000,
  }));

async function read({ kube, call }: Cluster, namespace: string, pod: Pod): Promise<ServedCertificates> {
  const { name } = pod.metadata;
  const port = pod.spec.containers.flatMap(({ ports = [] }) => ports).find((one) => one.name === 'metrics');
  const at = { version: 'v1', resource: 'pods', namespace, name: `${name}:${port?.containerPort ?? 8080}` };
  const page = await kube.stream(`${resourcePath({ ...at, subresource: 'proxy' })}/metrics`, {
    ...call,
    // The deadline of the call ends with its headers.
    signal: AbortSignal.timeout(call.timeoutMs),
    accept: 'text/plain',
    what: `read the metrics of Pod ${name}`,
  });
  return { pod: name, notAfter: certificatesIn(await text(page)) };
}

export async function readCertificates(
  cluster: Cluster,
  install: Install,
  pods: Seen<readonly Pod[]>,
): Promise<Seen<readonly ServedCertificates[]>> {
  if (!pods.ok) return pods;
  const ready = podsOf(install.webhook, pods.value).filter(isReady);
  if (ready.length === 0)
    return { ok: false, why: 'no Pod of the webhook is there to be asked for its metrics' };
  return seen(
    'the certificates that are served',
    Promise.all(ready.slice(0, MOST_PODS).map((pod) => read(cluster, install.namespace, pod))),
  );
}
