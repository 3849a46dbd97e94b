import type { KubeClient } from './client.ts';
import type { KubeLog } from './log.ts';
import type { KubeObject } from './objects.ts';
import { EVENT_SOURCE } from '../api/external-secrets/names.ts';

/** Interim: replaced by the aggregating recorder. */
export class EventRecorder {
  readonly #options: { kube: KubeClient; log: KubeLog };
  constructor(options: { kube: KubeClient; log: KubeLog }) {
    this.#options = options;
  }
  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const namespace = object.metadata.namespace ?? 'default';
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    this.#options.kube
      .request('POST', `/api/v1/namespaces/${namespace}/events`, {
        body: {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { generateName: `${object.metadata.name}.`, namespace },
          involvedObject: { apiVersion: object.apiVersion, kind: object.kind, name: object.metadata.name, namespace: object.metadata.namespace, uid: object.metadata.uid },
          type, reason, message, source: { component: EVENT_SOURCE }, firstTimestamp: now, lastTimestamp: now, count: 1,
        },
      })
      .catch(() => {});
  }
  async stop(): Promise<void> {}
}
