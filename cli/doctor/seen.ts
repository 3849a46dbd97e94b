import { KubeError } from '../../kube/errors.ts';
import type { Seen } from './state.ts';

/**
 * What was read, or why not. @param what a plural, for the sentence
 * @throws what is not an answer of the API server, and 401: then nothing can be seen at all
 */
export async function seen<T>(what: string, reading: Promise<T>): Promise<Seen<T>> {
  try {
    return { ok: true, value: await reading };
  } catch (error) {
    if (!(error instanceof KubeError) || error.status === 401) throw error;
    return { ok: false, why: `${what} cannot be read: ${error.message}` };
  }
}
