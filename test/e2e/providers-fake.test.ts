import { systemClock } from '../../api/clock.ts';
import { EsaError } from '../../api/errors.ts';
import { providers } from '../../providers/registry.ts';
import { providerConformance } from '../conformance/provider-kit.ts';

const nothing = async (): Promise<never> => {
  throw new EsaError('INTERNAL', 'the fake provider needs nothing of the cluster');
};

providerConformance('fake', async () => {
  const provider = providers.get('fake');
  if (provider === undefined) throw new Error('no provider fake');
  return {
    provider,
    store: { kind: 'SecretStore', name: 's', namespace: 'a', uid: 'u', generation: 1, callerNamespace: 'a' },
    ports: {
      clock: systemClock,
      secretKey: nothing,
      configMapKey: nothing,
      serviceAccountToken: nothing,
      serviceAccountAnnotations: nothing,
    },
    prepare: async (secrets) => ({ data: Object.entries(secrets).map(([key, value]) => ({ key, value })) }),
    refused: [
      { block: { data: [{ key: '', value: 'x' }] }, path: ['data', 0, 'key'] },
      { block: { data: [{ key: 'k' }] }, path: ['data', 0, 'value'] },
    ],
    missingProperty: 'PROVIDER_NOT_FOUND',
    traits: { find: ['name'], metadata: 'none' },
    sentinels: [],
    close: async () => {},
  };
});
