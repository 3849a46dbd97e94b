/** A live login to a store that somebody wants to keep, for its sake alone. */
import type { Clock } from '../api/clock.ts';
import { EsaError, toEsaError } from '../api/errors.ts';
import type { ProviderPorts } from '../providers/contract.ts';
import type { Connections } from './connections.ts';
import type { Finding } from './cross-object.ts';
import type { PolicyGate } from './policies.ts';
import { bindForValidation, deniedIn } from './policy-gate.ts';
import type { StoreObject } from './stores.ts';

export interface VerifyDeps {
  readonly clock: Clock;
  readonly connections: Connections;
  readonly ports: (notBefore: () => number) => ProviderPorts;
  readonly policies: PolicyGate;
}

/**
 * Logs in as the poller's check of the store does. A store whose references wait for the namespace of an
 * ExternalSecret cannot be checked, and is passed over, as ESO does.
 * @param store in the hub version, sound in itself, and of our class
 * @returns why it cannot be used; undefined if it can, or if a policy denies it (who asks policies says so)
 */
export async function verifyStore(
  store: StoreObject,
  { clock, connections, ports, policies }: VerifyDeps,
  signal: AbortSignal,
): Promise<Finding | undefined> {
  let path = ['spec', 'provider'];
  try {
    const bound = await bindForValidation(store, policies, signal);
    path = [...path, bound.provider.name];
    if (!bound.provider.canValidate(bound.config, bound.context)) return undefined;
    const notBefore = clock.monotonic();
    await connections.once(
      bound,
      ports(() => notBefore),
      signal,
      (connection) => connection.validate(signal, true),
    );
    return undefined;
  } catch (thrown) {
    if (deniedIn(thrown).length > 0) return undefined;
    const error = signal.aborted ? new EsaError('DEADLINE', 'no answer in time') : toEsaError(thrown);
    return {
      rule: 'store-unusable',
      path,
      message: `the store cannot be used now: ${error.message}`,
    };
  }
}
