/** Logging in, extending the token's life, and giving it back. */
import { SecretValue } from '../../api/secret-value.ts';
import { member, type VaultAnswer } from './answer.ts';
import type { LoginRequest } from './auth-methods.ts';
import type { VaultClient, VaultRequest } from './client.ts';
import { errorOfAnswer, labelOf, vaultError } from './errors.ts';
import type { Login, LoginMethod } from './session.ts';

export interface LoginOptions {
  readonly client: VaultClient;
  readonly server: string;
  readonly request: LoginRequest;
  /** Vault namespace of the login. */
  readonly namespace: string | undefined;
  /** Wall clock. */
  readonly now: () => number;
}

const countOf = (auth: unknown, name: string): number => Number(JSON.stringify(member(auth, name) ?? 0));

/** The token in an answer; its life is what the answer says, where 0 means that it does not expire. */
function loginOf(answer: VaultAnswer): Login | undefined {
  const auth = member(answer.body, 'auth');
  const token = member(auth, 'client_token');
  const seconds = countOf(auth, 'lease_duration');
  const uses = countOf(auth, 'num_uses');
  if (typeof token !== 'string' || token === '' || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return {
    token: SecretValue.fromText(token),
    ttlMs: seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000,
    renewable: member(auth, 'renewable') === true,
    uses: uses > 0 ? uses : Number.POSITIVE_INFINITY,
    isBatch: member(auth, 'token_type') === 'batch',
  };
}

export function loginMethod({ client, server, request, namespace, now }: LoginOptions): LoginMethod {
  const { segments, role } = request;
  const as = role === undefined || role === '' ? '' : ` as role ${role}`;
  const asked = { server, what: `login at ${segments.join('/')}${as}`, isLogin: true };
  const ownToken = (what: string, path: string, token: SecretValue, signal: AbortSignal) => {
    const rest: VaultRequest = {
      what,
      method: 'POST',
      segments: ['auth', 'token', path],
      namespace,
      token,
      body: {},
      signal,
    };
    return client.request(rest);
  };
  return {
    label: labelOf(asked),
    async login(signal) {
      const body = await request.body(signal);
      const answer = await client.request({ ...asked, method: 'POST', segments, namespace, body, signal });
      if (answer.status !== 200) throw errorOfAnswer(asked, answer, now());
      const login = loginOf(answer);
      if (login !== undefined) return login;
      throw vaultError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
    },
    async renew(token, signal) {
      const what = 'renew the token';
      const answer = await ownToken(what, 'renew-self', token, signal);
      if (answer.status >= 500 || answer.status === 429) throw errorOfAnswer({ server, what }, answer, now());
      return answer.status === 200 ? loginOf(answer) : undefined;
    },
    async revoke(token, signal) {
      // A token without the default policy may not do this; then it ends by itself.
      await ownToken('give the token back', 'revoke-self', token, signal);
    },
  };
}
