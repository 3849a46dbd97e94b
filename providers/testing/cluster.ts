/** The cluster as a provider sees it through its ports, kept in memory. */
import { type Clock, systemClock } from '../../api/clock.ts';
import { EsaError } from '../../api/errors.ts';
import { SecretValue } from '../../api/secret-value.ts';
import type { KeyReference, ProviderPorts } from '../contract.ts';

/** Objects by `Kind namespace/name`; tests change them as they like. */
export class MemoryCluster {
  readonly objects = new Map<string, Record<string, string>>();
  /** What was asked for, in order. */
  readonly asked: string[] = [];
  readonly clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.clock = clock;
  }

  set(kind: 'Secret' | 'ConfigMap', name: string, data: Record<string, string>): this {
    this.objects.set(`${kind} ${name}`, data);
    return this;
  }

  /** Labels of a Secret, for those who read it whole. */
  label(name: string, labels: Record<string, string>): this {
    this.objects.set(`Labels ${name}`, labels);
    return this;
  }

  #read(
    kind: 'Secret' | 'ConfigMap',
    { namespace, name, key }: KeyReference,
  ): { value: string; version: string } {
    const id = `${kind} ${namespace}/${name}`;
    this.asked.push(`${id} ${key}`);
    const value = this.objects.get(id)?.[key];
    if (value === undefined) throw new EsaError('REFERENCE_NOT_FOUND', `${id} has no key ${key}`);
    return { value, version: JSON.stringify(this.objects.get(id)) };
  }

  get ports(): ProviderPorts {
    return {
      clock: this.clock,
      secretKey: async (ref) => {
        const { value, version } = this.#read('Secret', ref);
        return { value: SecretValue.fromText(value), version };
      },
      secret: async ({ namespace, name }) => {
        const id = `Secret ${namespace}/${name}`;
        this.asked.push(id);
        const data = this.objects.get(id);
        if (data === undefined) throw new EsaError('REFERENCE_NOT_FOUND', `${id} not found`);
        return {
          labels: this.objects.get(`Labels ${namespace}/${name}`) ?? {},
          data: new Map(Object.entries(data).map(([key, text]) => [key, SecretValue.fromText(text)])),
        };
      },
      configMapKey: async (ref) => this.#read('ConfigMap', ref),
      serviceAccountToken: async ({ namespace, name, audiences, expirationSeconds }) => {
        this.asked.push(`token ${namespace}/${name} ${audiences.join()} ${expirationSeconds}`);
        const token = this.objects.get(`ServiceAccount ${namespace}/${name}`)?.['token'];
        if (token === undefined)
          throw new EsaError('REFERENCE_NOT_FOUND', `no ServiceAccount ${namespace}/${name}`);
        return { token: SecretValue.fromText(token), expiresAt: this.clock.now() + expirationSeconds * 1000 };
      },
      serviceAccountAnnotations: async (namespace, name) => {
        this.asked.push(`annotations ${namespace}/${name}`);
        const annotations = this.objects.get(`Annotations ${namespace}/${name}`);
        if (annotations === undefined)
          throw new EsaError('REFERENCE_NOT_FOUND', `ServiceAccount ${namespace}/${name} not found`);
        return annotations;
      },
    };
  }
}
