/** Sends requests with the credentials of a login: paced, and once more where credentials have gone bad. */
import type { ProviderPorts } from '../contract.ts';
import { cancelled } from '../http-errors.ts';
import { type Asked, toAwsError } from './errors.ts';
import type { AwsCredentials, Reach } from './reach.ts';
import type { AwsLogin, AwsSession } from './session.ts';

/** What a request is sent with. */
export interface AwsAccess {
  readonly session: AwsSession;
  readonly login: AwsLogin;
  readonly pace: ProviderPorts['pace'];
}

/**
 * Credentials that have been good for a while and are refused now are replaced once.
 * @throws ProviderError; EsaError STORE_BUSY
 */
export async function sendWith<T>(
  { session, login, pace }: AwsAccess,
  asked: Asked,
  signal: AbortSignal,
  work: (reach: Reach, credentials: AwsCredentials) => Promise<T>,
): Promise<T> {
  const first = await session.credentials(login, signal);
  await pace?.(signal);
  try {
    return await work(login.reach, first);
  } catch (thrown) {
    const error = toAwsError(asked, thrown, signal);
    if (error.code !== 'PROVIDER_UNAUTHENTICATED' || !session.refused(first)) throw error;
  }
  const second = await session.credentials(login, signal);
  await pace?.(signal);
  try {
    return await work(login.reach, second);
  } catch (thrown) {
    throw toAwsError(asked, thrown, signal);
  }
}

/** Credentials can be had; whether they may read anything only a read can tell. @throws ProviderError */
export async function checkLogin({ session, login }: AwsAccess, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw cancelled(login.label, signal);
  await session.credentials(login, signal);
}
