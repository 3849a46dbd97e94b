/** Events of an object. */

import type { KubeObject } from '../../kube/objects.ts';
import { resourcePath } from '../../kube/path.ts';
import type { Told } from '../explain/explanation.ts';
import type { Cluster } from './access.ts';
import { listObjects } from './list.ts';

interface EventObject extends KubeObject {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
}

/** Where those about objects of the cluster stand. */
const CLUSTER_NAMESPACE = 'default';

/** The newest first; those that the API server has not forgotten yet (an hour, mostly). @throws KubeError */
export async function eventsOf({ kube, call }: Cluster, object: KubeObject): Promise<readonly Told[]> {
  const { namespace = CLUSTER_NAMESPACE, uid = '', name = '' } = object.metadata;
  const path = resourcePath({ version: 'v1', resource: 'events', namespace });
  const fieldSelector = `involvedObject.uid=${uid},involvedObject.name=${name}`;
  const told: Told[] = [];
  for await (const event of listObjects<EventObject>(kube, path, { ...call, query: { fieldSelector } })) {
    const { type = '', reason = '', message = '', series } = event;
    told.push({
      type,
      reason,
      message,
      count: series?.count ?? event.count ?? 1,
      last:
        series?.lastObservedTime ??
        event.lastTimestamp ??
        event.eventTime ??
        event.metadata.creationTimestamp ??
        '',
    });
  }
  return told.toSorted((a, b) => Date.parse(b.last) - Date.parse(a.last));
}
