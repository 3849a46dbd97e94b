/** What our programs asked of the API server, by its audit log. */

import type { Bed } from '../../harness/bed.ts';
import type { AuditEvent } from '../../harness/control-plane.ts';

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

export type ProgramName = 'webhook' | 'poller';

const accountOf = ({ product }: Bed, program: ProgramName): string =>
  `system:serviceaccount:${product.namespace}:external-secrets-admission-${program}`;

/** Requests of one program that the API server received at or after `since` (wall clock) and has answered. */
export function requestsOf(bed: Bed, program: ProgramName, since: Date): readonly AuditEvent[] {
  const account = accountOf(bed, program);
  return bed.cp
    .auditEvents()
    .filter(({ user, requestReceivedTimestamp: at }) => user.username === account && new Date(at) >= since);
}

/** Those that write; each as `verb resource/subresource namespace/name`. */
export function writesOf(bed: Bed, program: ProgramName, since: Date): readonly string[] {
  return requestsOf(bed, program, since)
    .filter(({ verb }) => WRITES.has(verb))
    .map(({ verb, objectRef = {} }) => {
      const { resource = '', subresource, namespace = '', name = '' } = objectRef;
      return `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`} ${namespace}/${name}`;
    });
}
