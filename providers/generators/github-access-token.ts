/**
 * GithubAccessToken: a token of an installation of a GitHub App. The App shows who it is by a JWT that its private key
 * has signed (GitHub's documentation of Apps); the token is good for an hour.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import {
  type GithubAccessTokenSpec,
  githubAccessTokenSpec,
} from '../../api/generators/v1alpha1/github-access-token.ts';
import { collector, type Problem } from '../../api/problem.ts';
import { SecretValue } from '../../api/secret-value.ts';
import { isLoopbackAddress, literalAddress, refusalOf } from '../addresses.ts';
import { commonError, serviceError } from '../answers.ts';
import { ProviderError } from '../contract.ts';
import { type HttpResponse, httpRequest } from '../http.ts';
import { jsonObjectOf } from '../rest.ts';
import { serviceWords } from '../service-words.ts';
import type { Generator } from './contract.ts';
import { readSecret } from './references.ts';

const USUAL_URL = 'https://api.github.com';
const LIFE_MS = 60 * 60 * 1_000;
/** GitHub takes no JWT of more than ten minutes; its clock may be behind ours. */
const JWT_SECONDS = { past: 60, future: 300 } as const;

/** The URL without the slashes at its end; undefined for one that nothing can be sent to. */
function baseOf({ url }: GithubAccessTokenSpec): URL | undefined {
  const text = url === undefined || url === '' ? USUAL_URL : url;
  // Without TLS the token would be for everyone to read, but on this very machine (a stand-in, while developing).
  if (!/^https?:\/\/[^/?#@\s\\]+(?:\/[^?#\s\\]*)?$/i.test(text) || !URL.canParse(text)) return undefined;
  const parsed = new URL(text);
  const literal = literalAddress(parsed);
  const isLoopback = literal !== undefined && isLoopbackAddress(literal);
  return parsed.protocol === 'https:' || isLoopback ? parsed : undefined;
}

function validateSpec(spec: GithubAccessTokenSpec): Problem[] {
  const { report, problems } = collector();
  const base = baseOf(spec);
  const literal = base === undefined ? undefined : literalAddress(base);
  const why = literal === undefined ? undefined : refusalOf(literal, true);
  if (base === undefined)
    report('generator-github-url', ['url'], 'must be a URL with https: https://github.example.com/api/v3');
  else if (why !== undefined) report('generator-github-url', ['url'], `${literal} ${why}`);
  for (const field of ['appID', 'installID'] as const) {
    // Client ids of Apps (Iv1.…) do as ids of them, too.
    if (!/^[\w.-]{1,64}$/.test(spec[field]))
      report('generator-github-id', [field], 'must be an id, as GitHub shows it: digits');
  }
  for (const [index, name] of (spec.repositories ?? []).entries()) {
    if (!/^[\w.-]{1,100}$/.test(name))
      report('generator-github-repository', ['repositories', index], 'must be a name without its owner');
  }
  const { secretRef } = spec.auth.privateKey;
  const path = ['auth', 'privateKey', 'secretRef'];
  if ((secretRef.name ?? '') === '') report('generator-ref-name', [...path, 'name'], 'name the Secret');
  if ((secretRef.key ?? '') === '')
    report('generator-ref-key', [...path, 'key'], 'name the key of the Secret');
  return problems;
}

/** @throws ProviderError PROVIDER_INVALID_CONFIG */
function privateKeyOf(value: SecretValue, where: string): KeyObject {
  try {
    const key = createPrivateKey(value.revealText());
    if (key.asymmetricKeyType === 'rsa') return key;
  } catch {
    // What is said of it may quote it.
  }
  throw new ProviderError('PROVIDER_INVALID_CONFIG', `${where} is no private RSA key as PEM`);
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** The App's word for who it is. @param now wall-clock milliseconds */
function jwtOf(appId: string, key: KeyObject, now: number): string {
  const seconds = Math.floor(now / 1_000);
  const { past, future } = JWT_SECONDS;
  const head = encoded({ alg: 'RS256', typ: 'JWT' });
  const claims = encoded({ iat: seconds - past, exp: seconds + future, iss: appId });
  const signature = sign('RSA-SHA256', Buffer.from(`${head}.${claims}`), key).toString('base64url');
  return `${head}.${claims}.${signature}`;
}

function errorOf(label: string, answer: HttpResponse): ProviderError {
  const { message } = jsonObjectOf(answer.body.toString('utf8')) ?? {};
  const words = typeof message === 'string' ? serviceWords(message) : '';
  const said = words === '' ? '' : `: ${words}`;
  const { status, headers } = answer;
  // GitHub answers 403 where too much is asked of it, and says so by this header.
  const isLimit =
    status === 403 && (headers['retry-after'] !== undefined || headers['x-ratelimit-remaining'] === '0');
  const common = commonError(label, isLimit ? { ...answer, status: 429 } : answer, words);
  if (common !== undefined) return common;
  switch (status) {
    case 401:
      return serviceError(
        label,
        'PROVIDER_UNAUTHENTICATED',
        `the App was refused (401)${said}; check appID, the private key and the clock`,
      );
    case 403:
      return serviceError(label, 'PROVIDER_DENIED', `denied (403)${said}`);
    case 404:
      return serviceError(
        label,
        'PROVIDER_INVALID_CONFIG',
        `the App has no such installation (404)${said}; check installID and url`,
      );
    case 422:
      return serviceError(
        label,
        'PROVIDER_INVALID_CONFIG',
        `refused (422)${said}; the installation lacks a repository or a permission that is asked for`,
      );
    default:
      return serviceError(label, 'PROVIDER_INVALID_RESPONSE', `unexpected answer (status ${status})${said}`);
  }
}

export const githubAccessTokenGenerator = {
  kind: 'GithubAccessToken',
  schema: githubAccessTokenSpec,
  validateSpec,
  lifeMs: () => LIFE_MS,
  async generate(spec, use, signal) {
    const base = baseOf(spec);
    if (base === undefined) throw new ProviderError('PROVIDER_INVALID_CONFIG', 'url is no URL with https');
    const { store, ports } = use;
    const path = ['auth', 'privateKey', 'secretRef'];
    const { value, where } = await readSecret(spec.auth.privateKey.secretRef, path, use, signal);
    const jwt = jwtOf(spec.appID, privateKeyOf(value, where), ports.clock.now());
    const { repositories = [], permissions } = spec;
    const wishes = {
      ...(repositories.length === 0 ? {} : { repositories }),
      ...(permissions === undefined ? {} : { permissions }),
    };
    const label = `GitHub ${base.host}: get a token of installation ${spec.installID}`;
    await ports.pace?.(signal);
    const answer = await httpRequest(
      { origin: base.origin, guard: store.guard },
      {
        method: 'POST',
        path: `${base.pathname.replace(/\/+$/, '')}/app/installations/${encodeURIComponent(spec.installID)}/access_tokens`,
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${jwt}`,
          'x-github-api-version': '2022-11-28',
          ...(Object.keys(wishes).length === 0 ? {} : { 'content-type': 'application/json' }),
        },
        body: Object.keys(wishes).length === 0 ? undefined : JSON.stringify(wishes),
        // Another token is made, and the first one forgotten.
        repeatable: true,
        signal,
        label,
      },
    );
    if (answer.status !== 201 && answer.status !== 200) throw errorOf(label, answer);
    const { token } = jsonObjectOf(answer.body.toString('utf8')) ?? {};
    if (typeof token !== 'string' || token === '')
      throw serviceError(label, 'PROVIDER_INVALID_RESPONSE', 'the answer holds no token');
    return new Map([['token', SecretValue.fromText(token)]]);
  },
} satisfies Generator<GithubAccessTokenSpec>;
