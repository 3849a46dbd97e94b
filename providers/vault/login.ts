/** Logging in with a Kubernetes ServiceAccount, and extending the token's life. */
import { SecretValue } from '../../api/secret-value.ts';
import { member, type VaultAnswer } from './answer.ts';
import type { VaultClient } from './client.ts';
import { errorOfAnswer, labelOf, vaultError } from './errors.ts';
import type { Login, LoginMethod } from './session.ts';

export interface KubernetesLogin {
  readonly client: VaultClient;
  readonly server: string;
  readonly mount: readonly string[];
  readonly role: string;
  /** Vault namespace of the login. */
  readonly namespace: string | undefined;
  /** Asked for anew at each login. */
  readonly jwt: (signal: AbortSignal) => Promise<SecretValue>;
  /** Wall clock. */
  readonly now: () => number;
}

/** The token in an answer; its life is what the answer says, where 0 means that it does not expire. */
function loginOf(answer: VaultAnswer): Login | undefined {
  const auth = member(answer.body, 'auth');
  const token = member(auth, 'client_token');
  const seconds = Number(JSON.stringify(member(auth, 'lease_duration') ?? 0));
  if (typeof token !== 'string' || token === '' || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return {
    token: SecretValue.fromText(token),
    ttlMs: seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000,
    renewable: member(auth, 'renewable') === true,
  };
}

export function kubernetesLogin(options: KubernetesLogin): LoginMethod {
  const { client, server, mount, role, namespace } = options;
  const path = ['auth', ...mount, 'login'];
  const asked = { server, what: `login at ${path.join('/')} as role ${role}`, isLogin: true };
  return {
    label: labelOf(asked),
    async login(signal) {
      const jwt = await options.jwt(signal);
      const body = { role, jwt: jwt.revealText() };
      const answer = await client.request({
        ...asked,
        method: 'POST',
        segments: path,
        namespace,
        body,
        signal,
      });
      if (answer.status !== 200) throw errorOfAnswer(asked, answer, options.now());
      const login = loginOf(answer);
      if (login !== undefined) return login;
      throw vaultError(asked, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
    },
    async renew(token, signal) {
      const segments = ['auth', 'token', 'renew-self'];
      const renewal = { server, what: 'renew the token' };
      const answer = await client.request({
        ...renewal,
        method: 'POST',
        segments,
        namespace,
        token,
        body: {},
        signal,
      });
      if (answer.status >= 500 || answer.status === 429) throw errorOfAnswer(renewal, answer, options.now());
      return answer.status === 200 ? loginOf(answer) : undefined;
    },
  };
}
