import type { Pod, Program } from './state.ts';

/** The Pods of a program's Deployment, by the labels of its template. */
export function podsOf({ deployment }: Program, pods: readonly Pod[]): readonly Pod[] {
  const labels = Object.entries(deployment?.spec.template.metadata?.labels ?? {});
  if (labels.length === 0) return [];
  return pods.filter(({ metadata }) => labels.every(([key, value]) => metadata.labels?.[key] === value));
}

export const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false;
